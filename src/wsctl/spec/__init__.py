"""What any YAML or option of ours needs: units, nearest key, loading with line numbers."""
