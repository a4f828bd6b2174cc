# %% [markdown]
# # llmtester from Python
# Open this file as a notebook (VS Code, Jupytext) or run it: `python examples/notebook.py`. It uses the engine `fake`,
# so it needs no model; leave `engine.name` out to measure your own.

# %%
import llmtester

loaded = llmtester.load_settings(
    overrides={
        "engine.name": "fake",
        "models.include": ["demo?ttft_ms=20&decode_tok_per_s=3000&noise=0.02:Q4_K_M"],
        "run.quick": True,
        "run.output_dir": "notebook-runs",
    }
)
work = llmtester.plan(loaded)
print(f"{len(work.cells)} cells, about {work.expected_s or 0:.0f} s")

# %%
result = llmtester.run(loaded, work=work)
for advice in result.summary.advice:
    print(advice.verdict)

# %%
for cell in result.summary.cells:
    speed = cell.metrics["decode_tok_per_s"]
    print(f"{cell.key:70} {speed.value:6.1f} tok/s  ({speed.low:.1f} to {speed.high:.1f})")

# %%
files = llmtester.report(result.folder, loaded.settings, formats=["html", "md"])
print(files["html"])
