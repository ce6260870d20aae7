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
from skimage.transform import resize
from sklearn.covariance import EmpiricalCovariance
from sklearn.decomposition import PCA

from lablr.bundle import Bundle
from lablr.training.vae import VAE, VAEConfig, reparameterize

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

    It scales the whole photo by scikit-image and pads it; the latent is a sample,
    rotated by a full PCA; each of 45 covariances is asked for its distance; five labels
    are shown. The first picture has the 20 nearest labels as circles in the plane of
    the first two components, their centroids taken from the table of all training
    latents at every photo; the second the training photos of the three nearest as dots.

    Its steps are those of https://github.com/araskay/lablr (flickr_getlabel.py), in
    words of our own; PyTorch stands for Keras, Pillow for OpenCV, and the pictures
    stay in memory.
    """

    n_labels, n_shown, d, side = 45, 5, 100, 128
    n_photos_of_label = 1500

    def __init__(self) -> None:
        generator = np.random.default_rng(0)
        self.labels = [f"label {number}" for number in range(self.n_labels)]
        self.model = VAE(VAEConfig.seed(), self.n_labels, pretrained=False).eval()
        self.label_of = generator.permutation(
            np.repeat(np.arange(self.n_labels), self.n_photos_of_label)
        )
        centres = generator.normal(size=(self.n_labels, self.d))
        drawn = generator.normal(size=(len(self.label_of), self.d))
        drawn += centres[self.label_of]
        self.pca = PCA().fit(drawn)
        self.latents = self.pca.transform(drawn)
        self.covariances = [
            EmpiricalCovariance().fit(self.latents[self.label_of == number])
            for number in range(self.n_labels)
        ]

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
        image = np.array(Image.open(io.BytesIO(photo)).convert("RGB"))
        square = self._letterboxed(image).astype(np.float32)
        pixels = torch.from_numpy(square).permute(2, 0, 1)[None]
        posterior = self.model.encode(pixels)
        sample = reparameterize(posterior.mean, posterior.log_variance)
        return np.asarray(self.pca.transform(sample.numpy()), float)

    def _letterboxed(self, image: npt.NDArray[np.uint8]) -> Floats:
        """The image (128, 128, 3), 0 to 1, scaled down to fit, black around it."""
        height, width, _ = image.shape
        scale = min(self.side / height, self.side / width, 1)
        scaled = resize(image, (int(height * scale), int(width * scale)))
        lacking = [self.side - size for size in scaled.shape[:2]]
        around = [(one // 2, one - one // 2) for one in lacking]
        return np.pad(scaled, (*around, (0, 0)))

    def _circles(self, nearest: npt.NDArray[np.int_], point: Floats) -> bytes:
        own = [self.latents[self.label_of == number] for number in nearest]
        centroids = [np.mean(latents, axis=0) for latents in own]
        sizes = np.array(
            [np.linalg.det(self.covariances[number].covariance_) for number in nearest]
        )
        sizes = (sizes - sizes.min()) / np.ptp(sizes)
        figure, axes = self._axes()
        for number, (x, y, *_), size in zip(nearest, centroids, sizes, strict=True):
            area = (20 + 20 * size) ** 2
            axes.scatter(x, y, label=self.labels[number], s=area, alpha=0.5)
            axes.annotate(self.labels[number], (x, y))
        return self._png(figure, axes, point)

    def _dots(self, nearest: npt.NDArray[np.int_], point: Floats) -> bytes:
        figure, axes = self._axes()
        for number in nearest:
            own = self.latents[self.label_of == number, :2]
            axes.scatter(*own.T, label=self.labels[number], alpha=0.3)
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
        axes.scatter(*point, c="red", marker="x")
        axes.annotate("Input Image", point)
        stream = io.BytesIO()
        figure.savefig(stream, format="png")
        return stream.getvalue()
