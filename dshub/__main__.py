"""Run the command `dshub` with `python -m dshub`."""

from dshub.cli import main

if __name__ == "__main__":
    main()
