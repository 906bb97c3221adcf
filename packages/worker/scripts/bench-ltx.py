"""Times one network of a checkpoint with diffusers and torch, for `npm run bench:ltx`. Prints one line of JSON."""
import json, resource, sys, time
import torch
from pathlib import Path

job = json.loads(sys.argv[1])
folder, dtype = Path(job["folder"]), {"fp32": torch.float32, "bf16": torch.bfloat16}[job["precision"]]
torch.manual_seed(1)
if job.get("threads"): torch.set_num_threads(job["threads"])
frames, height, width = (job["frames"] - 1) // 8 + 1, job["height"] // 32, job["width"] // 32


def make():
    if job["piece"] == "text encoder":
        from transformers import T5EncoderModel
        model = T5EncoderModel.from_pretrained(folder / "text_encoder", dtype=dtype).eval()
        ids = torch.randint(2, 300, (1, job["textTokens"]))
        return lambda: model(ids)[0]
    if job["piece"] == "transformer":
        from diffusers import LTXVideoTransformer3DModel
        model = LTXVideoTransformer3DModel.from_pretrained(folder / "transformer", torch_dtype=dtype).eval()
        tokens = frames * height * width
        latents = torch.randn(1, tokens, model.config.in_channels, dtype=dtype)
        text = torch.randn(1, job["textTokens"], model.config.caption_channels, dtype=dtype)
        return lambda: model(hidden_states=latents, encoder_hidden_states=text, timestep=torch.full((1, 1), 500.0),
                             encoder_attention_mask=torch.ones(1, job["textTokens"]), num_frames=frames, height=height, width=width,
                             rope_interpolation_scale=(8 / 25, 32, 32), return_dict=False)[0]
    from diffusers import AutoencoderKLLTXVideo
    model = AutoencoderKLLTXVideo.from_pretrained(folder / "vae", torch_dtype=dtype).eval()
    if job["piece"] == "VAE encode":
        pixels = torch.randn(1, 3, 1, job["height"], job["width"], dtype=dtype)
        return lambda: model.encode(pixels).latent_dist.mean
    latents = torch.randn(1, model.config.latent_channels, frames, height, width, dtype=dtype)
    return lambda: model.decode(latents, return_dict=False)[0]


with torch.no_grad():
    run = make()
    started = time.perf_counter(); run(); first = time.perf_counter() - started
    times, cpu = [], []
    for _ in range(job["runs"]):
        started, busy = time.perf_counter(), time.process_time(); run()
        times.append(time.perf_counter() - started); cpu.append(time.process_time() - busy)
print(json.dumps(dict(seconds=min(times), cpuSeconds=min(cpu), first=first, peakBytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)))
