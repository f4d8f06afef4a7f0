"""Planning: header and options in, a plan or a ConversionError out."""
