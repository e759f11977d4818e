"""Types and ranges of what a ``model.json`` says, which may come from anybody."""

import dataclasses
import math
import re
from collections.abc import Mapping
from typing import Any, get_origin

from mmpolar.utils.file_names import check_file_name

_SHA256 = re.compile(r'[0-9a-f]{64}')
_PRECISIONS = ('float32', 'int8')
_MAX_RAYS = 4096
_CHANNELS = 3


def check_values(content: Mapping[str, Any]) -> None:
    """Check the entries of a manifest that are no hyper-parameters, and that they fit together.

    Args:
        content: The entries by name, those of :class:`mmpolar.runtime.ModelManifest`.

    Raises:
        ValueError: If one has another type, is out of its range or names a file outside the folder,
            or a graph has no hash.
        FileNameError: If a graph would lie elsewhere.
    """
    _check_parts(content)
    _check_normalization(content['normalization'])
    search = content['search']
    _expect('search', isinstance(search, dict) and search, 'names of graphs by size', search)
    for size in search:
        _expect('search', size == 'any' or size.isdecimal(), 'sizes, or "any"', size)
    graphs = [content['template'], *search.values()]
    graphs += [content[name] for name in ('contour', 'masks') if content.get(name) is not None]
    hashes = content['file_sha256']
    _expect('file_sha256', isinstance(hashes, dict), 'hashes by name', hashes)
    for name in (*graphs, *hashes):
        check_file_name(name, 'a graph')
    for name, value in (*hashes.items(), ('the weights', content['weights_sha256'])):
        is_hash = isinstance(value, str) and _SHA256.fullmatch(value)
        _expect(f'the hash of {name}', is_hash, '64 hexadecimal digits', value)
    without = [name for name in graphs if name not in hashes]
    _expect('file_sha256', not without, 'a hash of every graph', f'none of {without}')


def check_types(kind: type, values: Any, name: str) -> dict[str, Any]:
    """Check the types of hyper-parameters; their ranges are checked by the class.

    Args:
        kind: Dataclass of numbers, tuples of numbers, numbers by name, texts and booleans.
        values: Its values by name, as JSON gave them.
        name: What they are called in the file.

    Returns:
        The values.

    Raises:
        ValueError: If one has another type, is unknown or is no finite number.
    """
    _expect(name, isinstance(values, dict), 'values by name', values)
    types = {field.name: field.type for field in dataclasses.fields(kind)}
    for key, value in values.items():
        _expect(name, key in types, f'known names, {", ".join(types)}', key)
        if types[key] is float:
            is_right = _is_number(value)
            wanted = 'a number'
        elif get_origin(types[key]) is tuple:
            is_right = isinstance(value, list) and all(map(_is_number, value))
            wanted = 'a list of numbers'
        elif get_origin(types[key]) is Mapping:
            # Releases up to 0.1 wrote a list.
            numbers = value.values() if isinstance(value, dict) else value
            is_right = isinstance(value, dict | list) and all(map(_is_number, numbers))
            wanted = 'numbers by name'
        else:
            is_right = type(value) is types[key]
            wanted = f'of type {types[key].__name__}'
        _expect(f'{name}.{key}', is_right, wanted, value)
    return values


def _check_parts(content: Mapping[str, Any]) -> None:
    rays = content['n_rays']
    is_count = type(rays) is int and 3 <= rays <= _MAX_RAYS
    _expect('n_rays', rays is None or is_count, f'3 to {_MAX_RAYS}, or null', rays)
    has_contour = content['contour'] is not None
    _expect('contour', has_contour == (rays is not None), 'named if there are rays', has_contour)
    has_masks = content.get('masks') is not None
    _expect(
        'mask_params',
        has_masks == (content.get('mask_params') is not None),
        'there if and only if masks is',
        content.get('mask_params'),
    )
    _expect('precision', content['precision'] in _PRECISIONS, _PRECISIONS, content['precision'])
    _expect('refines', type(content['refines']) is bool, 'true or false', content['refines'])
    kernels = content['kernels']
    is_names = isinstance(kernels, list) and all(isinstance(name, str) for name in kernels)
    is_names = is_names and 0 < len(set(kernels)) == len(kernels)
    _expect('kernels', is_names, 'different names', kernels)
    version = content.get('mmpolar_version', '')
    _expect('mmpolar_version', isinstance(version, str), 'a text', version)


def _check_normalization(values: Any) -> None:
    _expect('normalization', isinstance(values, dict), 'mean, std and bgr_to_rgb', values)
    for name in ('mean', 'std'):
        numbers = values[name]
        is_right = isinstance(numbers, list) and len(numbers) == _CHANNELS
        is_right = is_right and all(_is_number(n) and (n > 0 or name == 'mean') for n in numbers)
        _expect(f'normalization.{name}', is_right, f'{_CHANNELS} numbers', numbers)
    swaps = values['bgr_to_rgb']
    _expect('normalization.bgr_to_rgb', type(swaps) is bool, 'true or false', swaps)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e300 and math.isfinite(value)


def _expect(name: str, is_right: Any, expected: Any, value: Any) -> None:
    if not is_right:
        raise ValueError(f'{name} must be {expected}, got {str(value)[:80]}')
