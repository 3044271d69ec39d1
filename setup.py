"""Reads every piece of metadata from settings.ini, so that it is written once."""
from configparser import ConfigParser
from pathlib import Path
from shutil import copyfile
from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

cfg = ConfigParser(delimiters=["="], interpolation=None)
cfg.read(Path(__file__).parent/"settings.ini", encoding="utf-8")
cfg = cfg["DEFAULT"]

def lines(key): return [o for o in cfg[key].splitlines() if o]

extras = {k.removesuffix("_requirements"): v.split() for k,v in cfg.items() if k.endswith("_requirements")}
extras["all"] = sorted({r for k,rs in extras.items() if k != "dev" for r in rs})
lo,hi = (int(cfg[k].split(".")[1]) for k in ("min_python", "max_python"))

class WithLessons(build_py):
    "The lessons stand in course/; a wheel carries them inside the package"
    def run(self):
        super().run()
        if self.editable_mode: return # there, course/ itself is found
        to = Path(self.build_lib)/"l1g1000"/"lessons"
        to.mkdir(parents=True, exist_ok=True)
        for o in Path("course").glob("[0-9]*.ipynb"): copyfile(o, to/o.name)

setup(
    cmdclass=dict(build_py=WithLessons),
    name=cfg["lib_name"], version=cfg["version"], description=cfg["description"], keywords=cfg["keywords"].split(),
    long_description=Path("README.md").read_text(encoding="utf-8"), long_description_content_type="text/markdown",
    author=cfg["author"], author_email=cfg["author_email"], license=cfg["license"], license_files=["LICENSE"],
    classifiers=lines("classifiers") + [f"Programming Language :: Python :: 3.{i}" for i in range(lo, hi+1)],
    python_requires=f">={cfg['min_python']}", install_requires=cfg["requirements"].split(), extras_require=extras,
    packages=find_packages(include=["l1g1000", "l1g1000.*"]), include_package_data=True, zip_safe=False,
    entry_points={"console_scripts": lines("console_scripts"), "nbdev": ["l1g1000=l1g1000._modidx:d"]})
