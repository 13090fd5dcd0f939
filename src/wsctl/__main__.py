"""`python -m wsctl` is `wsctl`."""

from wsctl.cli.main import main

if __name__ == "__main__":
    main()
