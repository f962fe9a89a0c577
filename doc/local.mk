# Manual pages, the plan format and the architecture.
