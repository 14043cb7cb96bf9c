"""The line view of one text ("people in a line")."""

from IPython.display import HTML
from jaxtyping import Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from helpers.line import read_line
from helpers.line_view import line_view


def show_line(model: TransformerBridge, tokens: Int[Tensor, "1 pos"], prompt: str) -> list[HTML]:
    """The line view with the prompt as its title."""
    return [line_view(read_line(model, tokens, title=prompt))]
