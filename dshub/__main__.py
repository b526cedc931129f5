"""Run the command line as `python -m dshub`."""

from dshub.cli import main

if __name__ == "__main__":
    main()
