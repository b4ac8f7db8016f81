"""FlatBuffers and FlexBuffers: writers and named views (docs/format/container.md)."""
