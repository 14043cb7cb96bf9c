"""How every model in ``data/`` was made: ``python -m helpers.training NAME --corpus DIR``."""
