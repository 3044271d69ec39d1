"""How the time of linear attention grows to 16,384 tokens, where it overtakes softmax attention, and what a decoded token costs.

    python benchmarks/linear_attention.py

Nine heads of width 64. `mixing` times the rule alone beside torch's causal scaled_dot_product_attention, taking turns; the crossing is predicted from rates measured at up to 1,024
tokens, then read from the measured times. `decoding` feeds one layer 16,384 tokens and times the next token at several places. Writes linear_attention.json here.
"""
import statistics, sys
from pathlib import Path
import numpy as np, torch, torch.nn.functional as F
from l1g1000.chain import versions
from l1g1000.core import compare, progress, seed_everything, write_json
from l1g1000.model.linear_attention import CHUNK, LinearAttention, delta_rule

HERE, H, K = Path(__file__).parent, 9, 64
LENGTHS, LONGEST_SDPA = [256, 512, 1024, 2048, 4096, 8192, 16384], 8192
FLOPS = {"attention": lambda T: 2*H*T*T*K, "linear": lambda T: H*T*(8*CHUNK*K + 6*K*K)}

def medians(fns, rounds): return {o["name"]: o["median_ms"]/1e3 for o in compare(fns, rounds=rounds)}

def ways(T):
    q,k,v = (torch.randn(1, H, T, K) for _ in range(3))
    decay, beta, q, k = F.logsigmoid(2+torch.randn(1, H, T)), torch.rand(1, H, T), F.normalize(q, dim=-1), F.normalize(k, dim=-1)
    out = {"linear": lambda: delta_rule(q, k, v, decay, beta)}
    return out | ({"attention": lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True)} if T <= LONGEST_SDPA else {})

def slope(took, way, low):
    ts = [T for T in took if T >= low and way in took[T]]
    return float(np.polyfit(np.log(ts), [np.log(took[T][way]) for T in ts], 1)[0])

def main():
    seed_everything(0)
    took, state, decoding, layer = {}, None, [], LinearAttention(H*K, H, K).eval()
    with torch.no_grad():
        for T in progress(LENGTHS, "lengths"): took[T] = medians(ways(T), 7 if T < 4096 else 3)
        state = layer.new_state(1)
        for T in LENGTHS:
            layer(torch.randn(1, T-state.length, H*K), state=state)
            x = torch.randn(1, 1, H*K)
            ms = 1e3*medians({"one": lambda: layer(x, state=layer_copy(state))}, 50)["one"]
            decoding.append(dict(tokens=T, state_bytes=state.bytes, keys_and_values_bytes=T*2*H*K*4, next_token_ms=round(ms, 3)))
    rate = {w: statistics.median(FLOPS[w](T)/took[T][w] for T in LENGTHS[:3]) for w in FLOPS}
    both = [T for T in LENGTHS if T <= LONGEST_SDPA]
    crossing = dict(predicted_tokens=round((8*CHUNK*K + 6*K*K)/(2*K) * rate["attention"]/rate["linear"]),
        measured_tokens=round(float(np.exp(np.interp(0, [np.log(took[T]["attention"]/took[T]["linear"]) for T in both], np.log(both))))))
    mixing = [dict(tokens=T) | {f"{w}_ms": round(1e3*s, 2) for w,s in o.items()} for T,o in took.items()]
    slopes = dict(linear_256_to_16384=round(slope(took, "linear", 256), 3), linear_1024_to_16384=round(slope(took, "linear", 1024), 3), attention_1024_to_8192=round(slope(took, "attention", 1024), 3), bar=1.1)
    out = dict(command="python benchmarks/linear_attention.py", made_with=versions(), torch=torch.__version__, threads=torch.get_num_threads(), slopes=slopes, crossing=crossing, mixing=mixing, decoding=decoding)
    print(slopes, crossing, *mixing, *decoding, sep="\n")
    write_json(HERE/"linear_attention.json", out)
    if slopes["linear_1024_to_16384"] > slopes["bar"] or len({o["state_bytes"] for o in decoding}) > 1: sys.exit("a bar is missed")

def layer_copy(state): return type(state)(state.S, state.length) # so that timing does not move the state on

if __name__ == "__main__": main()
