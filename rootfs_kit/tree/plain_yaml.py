"""YAML as plain texts, lists and tables: a document of a stranger may not choose types, nor grow.

Without types "no" is a word and not a falsehood, and a date that does not exist is a text. Without merge keys a page
of text cannot stand for gigabytes (its aliases are the same object each time).
"""

from __future__ import annotations


class NotYaml(ValueError):
    """The text is no YAML document; says where and why, as YAML's own error does."""


def load_plain_yaml(data: bytes) -> object:
    """The document in `data`. Raises NotYaml.

    Text of some kilobytes only: the parser takes a second for each megabyte.
    """
    import yaml

    try:
        return yaml.load(data, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise NotYaml(str(error)) from error
