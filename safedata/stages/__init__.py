"""The stages that a spec's `steps` name, one module each."""
