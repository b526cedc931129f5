"""`python -m dshub` is the command `dshub`."""

from dshub.cli import main

if __name__ == "__main__":
    main()
