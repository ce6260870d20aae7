"""The latent map and the charts of a suggestion: layout, SVG, PNG and Plotly."""
