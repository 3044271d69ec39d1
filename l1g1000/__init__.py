__version__ = "0.1.0"

from .core import lazy_names

__getattr__, __dir__, __all__ = lazy_names(__name__, {"MultimodalAligner": "data.align", "PromptTuner": "adapt.prompt", "QuantType": "quant.ort", "Trainer": "train.engine", "load": "nano.model", "quantize_static": "quant.ort"})
