"""sentence-transformers, run by an environment that has it: takes texts a line, answers with a line of JSON.

python sentence_transformers_worker.py FOLDER
"""

import json
import sys
import time

from sentence_transformers import SentenceTransformer


def main() -> None:
    """Serve until standard input ends."""
    model = SentenceTransformer(sys.argv[1], device="cpu")
    model.encode(["a text to begin with"] * 32, show_progress_bar=False)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        calls = json.loads(line)["calls"]
        began = time.perf_counter()
        vectors = [model.encode(texts, show_progress_bar=False) for texts in calls]
        print(json.dumps({"seconds": time.perf_counter() - began, "first": vectors[0][0].tolist()}), flush=True)


if __name__ == "__main__":
    main()
