"""From YAML files and overrides to a Study; the only folder that knows Hydra."""
