"""How every model in ``data/`` was made: ``python -m helpers.build.train NAME --corpus DIR``."""
