"""The main job on real pictures: all stages timed, and the three networks compared.

python benchmarks/run.py folder:PICTURES/cars_tanks --weights FILE
"""

import time

import table

from toolkit import compare, run


def main() -> None:
    """Run the pipeline and print a row per stage, then a row per network."""
    parser = table.arguments(__doc__)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--into", default="benchmark")
    parser.add_argument("--networks", help="names, with commas (default: those of `toolkit run`)")
    parser.add_argument("--weights", default="", help="of Xception, in place of EfficientNet-Lite 0")
    parser.add_argument("--style", default="modern", help="modern, or classic, as the networks were drawn")
    asked = parser.parse_args()
    started, stages = time.perf_counter(), []

    def say(line: str) -> None:
        stages.append({"second": round(time.perf_counter() - started, 1), "stage": line})
        print(f"{stages[-1]['second']:8.1f} s  {line}", flush=True)

    names = asked.networks.split(",") if asked.networks else run.usual_networks(asked.weights)
    configs = run.configs_for(names, weights=asked.weights or None, settings={"style": asked.style})
    outcome = run.pipeline(asked.sources, into=asked.into, configs=configs, log=say)
    rows = [
        {
            "network": name,
            "right": f"{row['accuracy']:.1%}",
            "95 % interval": f"{row['low']:.1%} to {row['high']:.1%}",
            "test pictures": int(row["pictures"]),
            "pixels": int(row["size"]),
            "weights": int(row["parameters"]),
            "training s": round(row["train_seconds"]),
            "ms per picture": round(row["milliseconds"], 1),
            "MB": round(row["megabytes"], 1),
        }
        for name, row in compare.table(outcome.bundles).iterrows()
    ]
    print()
    table.show(rows, json_file=asked.json)


if __name__ == "__main__":
    main()
