"""Where a venue's frames have an asset's amounts: the module with its name has `amounts`."""
