"""The Helm chart, rendered by Helm itself: `make chart` builds what that takes."""
