"""Wrong patches for exercises 5.6 and 5.7: the right values at other places, or other values."""

ALL = slice(None)


def patching(name: str, change, read=lambda logits, index: logits[:, -1]):
    """An answer whose hook calls ``change(activation, source, index)`` on a copy of the activation.

    ``name`` is the hook, with ``{}`` for the layer; ``source`` the activation in the source run;
    ``index`` the position or the head. The answer returns ``read(logits, index)``.
    """

    def answer(model, into, source, layer, index):
        def patch(activation, hook):
            activation = activation.clone()
            change(activation, source, index)
            return activation

        return read(model.run_with_hooks(into, fwd_hooks=[(name.format(layer), patch)]), index)

    return answer


def put(select, values_of=lambda source: source):
    """A change that puts in ``values_of(source)`` where ``select(index)`` says."""

    def change(activation, source, index):
        activation[select(index)] = values_of(source)[select(index)]

    return change
