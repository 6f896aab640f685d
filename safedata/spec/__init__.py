"""YAML text to a resolved document: positions, parameters, `extends`, and the sections' models."""
