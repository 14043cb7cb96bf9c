"""``python -m tests.benchmarks.live_training``: time and step of the transition in lesson 4's training, five seeds."""

import time

import torch

from helpers.sequences import phase_change
from helpers.toys.induction import small_model, train, train_step

STEPS = 500


def main() -> None:
    print(
        f"{'seed':>4}{'layers':>8}{'seconds':>9}{'transition':>12}{'s to it':>9}{'induction':>11}{'second copy':>13}{'gain':>8}"
    )
    for seed in range(5):
        for layers in (2, 1):
            started = time.perf_counter()
            records = list(train(small_model(layers, seed), train_step, STEPS, every=10, seed=seed))
            seconds = time.perf_counter() - started
            steps, loss = (
                torch.tensor([float(getattr(record, name)) for record in records])
                for name in ("step", "second_copy")
            )
            last = records[-1]
            transition = phase_change(steps, loss).item() if last.induction > 0.5 else float("nan")
            print(
                f"{seed:4}{layers:8}{seconds:9.1f}{transition:12.0f}{seconds * transition / STEPS:9.1f}{last.induction:11.2f}"
                f"{last.second_copy:13.2f}{last.first_copy - last.second_copy:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
