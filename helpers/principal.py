"""Principal components as coordinates, and how well a coordinate separates two classes of rows."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def principal_coordinates(vectors: Float[Tensor, "row d_model"], k: int) -> Float[Tensor, "row component"]:
    """Coordinates of the centred rows on their first ``k`` principal components.

    A component has two directions. The one is taken in which the largest absolute coordinate is
    positive.

    >>> principal_coordinates(torch.tensor([[0.0, 5.0], [1.0, 5.0], [-4.0, 5.0]]), k=1)
    tensor([[-1.],
            [-2.],
            [ 3.]])
    """
    centred = vectors - vectors.mean(dim=0)
    coordinates = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:k].T
    extreme = coordinates.gather(0, coordinates.abs().argmax(dim=0, keepdim=True))
    return coordinates * extreme.sign()


def separation(
    coordinates: Float[Tensor, "row component"], labels: Bool[Tensor, " row"]
) -> Float[Tensor, " component"]:
    """Separation, by each coordinate, of the rows with a label from those without.

    The area under the ROC curve: the fraction of pairs, one row with the label and one without, in
    which the row with the label has the larger coordinate; ties count ½. If the area is less than
    ½, 1 - area. So 1 is perfect; about ½ for a label that has nothing to do with the coordinate.

    >>> labels = torch.tensor([True, True, False, False])
    >>> separation(torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [1.5, 0.0]]), labels)
    tensor([0.7500, 0.5000])
    """
    pairs = coordinates[labels][:, None] - coordinates[~labels]  # [row with label, row without, component]
    area = (1 + pairs.sign().mean(dim=(0, 1))) / 2
    return torch.maximum(area, 1 - area)


def random_separation(
    vectors: Float[Tensor, "row d_model"],
    labels: Bool[Tensor, " row"],
    directions: Float[Tensor, "sample direction d_model"],
) -> Float[Tensor, " sample"]:
    """Separation by the best direction of each sample of random directions.

    The random baseline of a component that is the best of k: samples of k directions each.

    >>> vectors, labels = torch.tensor([[1.0, 0.0], [0.0, 0.0]]), torch.tensor([True, False])
    >>> random_separation(vectors, labels, torch.eye(2)[:, None])
    tensor([1.0000, 0.5000])
    """
    return torch.stack([separation(vectors @ sample.T, labels).max() for sample in directions])
