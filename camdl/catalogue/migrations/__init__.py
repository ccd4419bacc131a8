"""The steps that lead from an empty database to the catalogue of this version."""
