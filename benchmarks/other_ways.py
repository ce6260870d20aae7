"""Two other ways to tag a photo: the plain one, and the one Lablr began with.

Their networks have random weights and their covariances are those of drawn
latents: what they find is meaningless, what they compute takes as long as ever.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA

from lablr.bundle import Bundle
from lablr.vae import VAE, VAEConfig, reparameterize

__all__ = ["PlainWay", "SeedWay"]

Floats = npt.NDArray[np.float64]

N_DRAWN = 300  # latents a covariance is estimated from: more than d


def _covariances(n_tags: int, d: int) -> list[EmpiricalCovariance]:
    """One covariance a tag, of latents drawn around a centre of its own."""
    generator = np.random.default_rng(0)
    centres = generator.normal(size=(n_tags, d))
    return [
        EmpiricalCovariance().fit(centre + generator.normal(size=(N_DRAWN, d)))
        for centre in centres
    ]


class PlainWay:
    """Pillow, eager PyTorch, a covariance of scikit-learn for each tag in a loop.

    The networks are the bundle's own, as their training configured them.
    """

    def __init__(self, bundle: Bundle) -> None:
        configs = [VAEConfig(**own["vae"]) for own in bundle.provenance["training"]]
        self.tags = bundle.tags
        self.size = configs[0].image_size
        self.models = [
            VAE(config, len(bundle.tags), pretrained=False).eval() for config in configs
        ]
        d = sum(config.n_latent for config in configs)
        self.covariances = _covariances(len(bundle.tags), d)

    @torch.no_grad()
    def suggest(self, photo: bytes) -> list[tuple[float, str]]:
        """The ten tags of least squared Mahalanobis distance."""
        image = Image.open(io.BytesIO(photo)).convert("RGB")
        image = image.resize((self.size, self.size), Image.Resampling.BICUBIC)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        latents = np.concatenate(
            [own.encode(own.normalize(pixels)).mean.numpy() for own in self.models], 1
        )
        distances = [
            float(covariance.mahalanobis(latents)[0]) for covariance in self.covariances
        ]
        return sorted(zip(distances, self.tags, strict=True))[:10]


class SeedWay:
    """The first Lablr: a small VAE at 128 px, 45 labels, two pictures by matplotlib.

    The latent is a sample, rotated by a full PCA; five labels are shown. The first
    picture has the 20 nearest labels as circles in the plane of the first two
    components, the second the training photos of the three nearest as dots.
    """

    n_labels, n_shown, d, side = 45, 5, 100, 128
    n_photos_of_label = 1500

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.labels = [f"label {number}" for number in range(self.n_labels)]
        self.model = VAE(VAEConfig.seed(), self.n_labels, pretrained=False).eval()
        self.covariances = _covariances(self.n_labels, self.d)
        centres = np.stack([own.location_ for own in self.covariances])
        self.pca = PCA().fit(np.repeat(centres, 3, 0) + generator.normal(size=(135, 1)))
        self.centroids = centres[:, :2]
        shape = (self.n_labels, self.n_photos_of_label, 2)
        self.photos = self.centroids[:, None] + generator.normal(size=shape)

    def suggest(self, photo: bytes) -> tuple[list[str], bytes, bytes]:
        """Five labels and two pictures, as PNG."""
        latents = self._encode(photo)
        distances = [
            float(covariance.mahalanobis(latents)[0]) for covariance in self.covariances
        ]
        nearest = np.argsort(distances)
        shown = [self.labels[number] for number in nearest[: self.n_shown]]
        point = latents[0, :2]
        return shown, self._circles(nearest[:20], point), self._dots(nearest[:3], point)

    @torch.no_grad()
    def _encode(self, photo: bytes) -> Floats:
        """A rotated sample (1, d)."""
        image = Image.open(io.BytesIO(photo)).convert("RGB")
        image.thumbnail((self.side, self.side))
        square = Image.new("RGB", (self.side, self.side))
        square.paste(image, (0, 0))
        pixels = torch.from_numpy(np.array(square)).permute(2, 0, 1)[None]
        posterior = self.model.encode(self.model.normalize(pixels))
        sample = reparameterize(posterior.mean, posterior.log_variance)
        return np.asarray(self.pca.transform(sample.numpy()), float)

    def _circles(self, nearest: npt.NDArray[np.int_], point: Floats) -> bytes:
        determinants = [
            np.linalg.slogdet(self.covariances[number].covariance_)[1]
            for number in nearest
        ]
        sizes = np.array(determinants) - min(determinants)
        sizes /= sizes.max()
        figure, axes = self._axes()
        for number, size in zip(nearest, sizes, strict=True):
            x, y = self.centroids[number]
            axes.add_patch(_circle(x, y, float(size)))
            axes.annotate(self.labels[number], (x, y))
        return self._png(figure, axes, point)

    def _dots(self, nearest: npt.NDArray[np.int_], point: Floats) -> bytes:
        figure, axes = self._axes()
        for number in nearest:
            axes.scatter(*self.photos[number].T, s=4, label=self.labels[number])
        axes.legend()
        return self._png(figure, axes, point)

    def _axes(self) -> tuple[Any, Any]:
        from matplotlib.figure import Figure

        figure = Figure()
        axes = figure.subplots()
        for axis, share in zip("xy", self.pca.explained_variance_ratio_, strict=False):
            getattr(axes, f"set_{axis}label")(f"{share:.1%} of the variance")
        return figure, axes

    def _png(self, figure: Any, axes: Any, point: Floats) -> bytes:
        axes.plot(*point, "rx")
        axes.autoscale_view()
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        return stream.getvalue()


def _circle(x: float, y: float, size: float) -> Any:
    from matplotlib.patches import Circle

    return Circle((x, y), 0.1 + 0.2 * size, alpha=0.4)
