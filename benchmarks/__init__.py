"""The benchmark suite: ``python -m benchmarks --help``; how to read it in README.md of this directory."""
