"""QK and OV circuits: what a head's weights alone say, before any text is read (Elhage et al. 2021)."""

from jaxtyping import Float
from torch import Tensor
from transformer_lens import FactoredMatrix
from transformer_lens.model_bridge import TransformerBridge


def full_OV(model: TransformerBridge, layer: int, head: int) -> FactoredMatrix:
    """The full OV circuit ``W_E W_V W_O W_U`` of one head, ``[d_vocab, d_vocab]``, kept as a low-rank product.

    Row = token attended to, column = token whose logit it moves.
    """
    return FactoredMatrix(model.W_E @ model.W_V[layer, head], model.W_O[layer, head] @ model.W_U)


def copying_score(matrix: FactoredMatrix) -> Float[Tensor, ""]:
    """Share of positive eigenvalues  Σ Re λ / Σ |λ|, from -1 to 1 (Elhage et al. 2021, "Copying").

    1 when a token attended to raises only its own logit in every direction the head can carry; near 0 for random weights.
    """
    eigenvalues = matrix.eigenvalues
    return eigenvalues.real.sum() / eigenvalues.abs().sum()
