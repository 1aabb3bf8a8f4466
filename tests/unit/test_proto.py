"""The protobuf messages: TensorFlow's fields and bytes, in a pool of their own, made at the first use."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool
from hypothesis import given
from hypothesis import strategies as st

import nbvars
from nbvars import proto
from nbvars.proto import descriptors
from tests.conftest import run_python

# What TensorFlow 2.21 says of each message: "[*]type name number", where * marks a repeated field.
FIELDS = {
    "VariableDef": "string variable_name 1, string initializer_name 2, string snapshot_name 3, "
    "SaveSliceInfoDef save_slice_info_def 4, bool is_resource 5, string initial_value_name 6, bool trainable 7, "
    "VariableSynchronization synchronization 8, VariableAggregation aggregation 9",
    "SaveSliceInfoDef": "string full_name 1, *int64 full_shape 2, *int64 var_offset 3, *int64 var_shape 4",
    "MetaGraphDef": "MetaGraphDef.MetaInfoDef meta_info_def 1, GraphDef graph_def 2, SaverDef saver_def 3, "
    "*MetaGraphDef.CollectionDefEntry collection_def 4",
    "MetaGraphDef.MetaInfoDef": "string meta_graph_version 1, OpList stripped_op_list 2, "
    "Any any_info 3, *string tags 4, string tensorflow_version 5, string tensorflow_git_version 6, "
    "bool stripped_default_attrs 7",
    "MetaGraphDef.CollectionDefEntry": "string key 1, CollectionDef value 2",
    "CollectionDef": "CollectionDef.NodeList node_list 1, CollectionDef.BytesList bytes_list 2, "
    "CollectionDef.Int64List int64_list 3, CollectionDef.FloatList float_list 4, CollectionDef.AnyList any_list 5",
    "CollectionDef.NodeList": "*string value 1",
    "CollectionDef.BytesList": "*bytes value 1",
    "CollectionDef.Int64List": "*int64 value 1",
    "CollectionDef.FloatList": "*float value 1",
    "CollectionDef.AnyList": "*Any value 1",
    "Any": "string type_url 1, bytes value 2",
    "GraphDef": "*NodeDef node 1, FunctionDefLibrary library 2, int32 version 3, VersionDef versions 4",
    "VersionDef": "int32 producer 1, int32 min_consumer 2, *int32 bad_consumers 3",
    "NodeDef": "string name 1, string op 2, *string input 3, string device 4, *NodeDef.AttrEntry attr 5",
    "NodeDef.AttrEntry": "string key 1, AttrValue value 2",
    "AttrValue": "AttrValue.ListValue list 1, bytes s 2, int64 i 3, float f 4, bool b 5, DataType type 6, "
    "TensorShapeProto shape 7, TensorProto tensor 8, string placeholder 9, NameAttrList func 10",
    "AttrValue.ListValue": "*bytes s 2, *int64 i 3, *float f 4, *bool b 5, *DataType type 6, "
    "*TensorShapeProto shape 7, *TensorProto tensor 8, *NameAttrList func 9",
    "NameAttrList": "string name 1, *NameAttrList.AttrEntry attr 2",
    "NameAttrList.AttrEntry": "string key 1, AttrValue value 2",
    "TensorProto": "DataType dtype 1, TensorShapeProto tensor_shape 2, int32 version_number 3, "
    "bytes tensor_content 4, *float float_val 5, *double double_val 6, *int32 int_val 7, *bytes string_val 8, "
    "*float scomplex_val 9, *int64 int64_val 10, *bool bool_val 11, *double dcomplex_val 12, *int32 half_val 13, "
    "*ResourceHandleProto resource_handle_val 14, *VariantTensorDataProto variant_val 15, *uint32 uint32_val 16, "
    "*uint64 uint64_val 17, bytes float8_val 18",
    "TensorShapeProto": "*TensorShapeProto.Dim dim 2, bool unknown_rank 3",
    "TensorShapeProto.Dim": "int64 size 1, string name 2",
    "OpList": "",
    "SaverDef": "string filename_tensor_name 1, string save_tensor_name 2, string restore_op_name 3, "
    "int32 max_to_keep 4, bool sharded 5, float keep_checkpoint_every_n_hours 6, "
    "SaverDef.CheckpointFormatVersion version 7",
    "FunctionDefLibrary": "",
    "ResourceHandleProto": "",
    "VariantTensorDataProto": "",
}

# TensorFlow's data types by number, 0 to 33; number 100 + n is the reference to number n, from 1 on.
DATA_TYPES = """
    INVALID FLOAT DOUBLE INT32 UINT8 INT16 INT8 STRING COMPLEX64 INT64 BOOL QINT8 QUINT8 QINT32 BFLOAT16 QINT16
    QUINT16 UINT16 COMPLEX128 HALF RESOURCE VARIANT UINT32 UINT64 FLOAT8_E5M2 FLOAT8_E4M3FN FLOAT8_E4M3FNUZ
    FLOAT8_E4M3B11FNUZ FLOAT8_E5M2FNUZ INT4 UINT4 INT2 UINT2 FLOAT4_E2M1FN
"""

# Serialized by TensorFlow 2.21, deterministically. FLOAT_VARIABLE: tf.compat.v1.Variable([1.0, 2.0], name="a").
FLOAT_VARIABLE = b"\n\x03a:0\x12\x08a/Assign\x1a\x08a/read:02\x11a/initial_value:08\x01"
# Variable(3, name="b", trainable=False, use_resource=True, aggregation=MEAN, synchronization=ON_READ).
RESOURCE_VARIABLE = (
    b"\n\x03b:0\x12\x08b/Assign\x1a\x17b/Read/ReadVariableOp:0(\x012\x1db/Initializer/initial_value:0@\x03H\x02"
)
# The second part of get_variable("p", [4, 2], partitioner=fixed_size_partitioner(2)).
PART_OF_A_VARIABLE = (
    b"\n\np/part_1:0\x12\x0fp/part_1/Assign\x1a\x0fp/part_1/read:0"
    b'"\x0f\n\x01p\x12\x02\x04\x02\x1a\x02\x02\x00"\x02\x02\x02'
    b"2%p/part_1/Initializer/random_uniform:08\x01"
)
# The graph of FLOAT_VARIABLE.
GRAPH = (
    b"\nD\n\x0fa/initial_value\x12\x05Const*\x0b\n\x05dtype\x12\x020\x01"
    b'*\x1d\n\x05value\x12\x14B\x12\x08\x01\x12\x04\x12\x02\x08\x02"\x08\x00\x00\x80?\x00\x00\x00@'
    b"\nQ\n\x01a\x12\nVariableV2*\x0f\n\tcontainer\x12\x02\x12\x00*\x0b\n\x05dtype\x12\x020\x01"
    b"*\x0f\n\x05shape\x12\x06:\x04\x12\x02\x08\x02*\x11\n\x0bshared_name\x12\x02\x12\x00"
    b"\nn\n\x08a/Assign\x12\x06Assign\x1a\x01a\x1a\x0fa/initial_value*\x07\n\x01T\x12\x020\x01"
    b"*\x14\n\x06_class\x12\n\n\x08\x12\x06loc:@a*\x11\n\x0buse_locking\x12\x02(\x01"
    b"*\x14\n\x0evalidate_shape\x12\x02(\x01"
    b"\n4\n\x06a/read\x12\x08Identity\x1a\x01a*\x07\n\x01T\x12\x020\x01*\x14\n\x06_class\x12\n\n\x08\x12\x06loc:@a"
    b'"\x03\x08\xaa\x13'
)
# Variables named "a", collections "floats" of 1.5 and "ints" of 7, one op in the list of ops, a saver, no nodes.
META_GRAPH = (
    b'\n\x9d\x01\x12u\ns\n\nVariableV2\x1a\x0f\n\x03ref"\x05dtype\x80\x01\x01"\x0e\n\x05shape\x12\x05shape'
    b'"\r\n\x05dtype\x12\x04type"\x17\n\tcontainer\x12\x06string\x1a\x02\x12\x00'
    b'"\x19\n\x0bshared_name\x12\x06string\x1a\x02\x12\x00\x88\x01\x01'
    b"*\x062.21.02\x1av2.21.0-rc1-5-ga481b10260d8\x01"
    b'\x12\x05"\x03\x08\x9c\x14\x1a\x05\n\x01f \x05'
    b'"\x12\n\x06floats\x12\x08"\x06\n\x04\x00\x00\xc0?"\r\n\x04ints\x12\x05\x1a\x03\n\x01\x07'
    b'"I\n\x13trainable_variables\x122\x120\n.' + FLOAT_VARIABLE + b'"?\n\tvariables\x122\x120\n.' + FLOAT_VARIABLE
)
LIST_VALUE = (
    b'\n \x12\x01\xff"\x04\x00\x00\x00?2\x02\x01e:\r\x12\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01:\x02\x18\x01'
)
FUNC_VALUE = b"R\x0c\n\x01f\x12\x07\n\x01T\x12\x020\x01"
VECTOR_OF_2 = b"\x12\x04\x12\x02\x08\x02"
VECTOR_OF_1 = b"\x12\x04\x12\x02\x08\x01"

# Name of the field, its number on the wire, and the dtype that TensorFlow's make_tensor_proto gave with these bytes.
TENSORS = [
    ("tensor_content", b"\x00>\x00\xc0", "DT_HALF", b"\x08\x13" + VECTOR_OF_2 + b'"\x04\x00>\x00\xc0'),
    ("bool_val", [True, False], "DT_BOOL", b"\x08\n" + VECTOR_OF_2 + b"Z\x02\x01\x00"),
    ("string_val", [b"x", b"yz"], "DT_STRING", b"\x08\x07" + VECTOR_OF_2 + b"B\x01xB\x02yz"),
    ("scomplex_val", [1, 2], "DT_COMPLEX64", b"\x08\x08" + VECTOR_OF_1 + b"J\x08\x00\x00\x80?\x00\x00\x00@"),
    ("uint64_val", [2**64 - 1], "DT_UINT64", b"\x08\x17" + VECTOR_OF_1 + b"\x8a\x01\n" + b"\xff" * 9 + b"\x01"),
    ("int64_val", [-1], "DT_INT64", b"\x08\t\x12\x00R\n" + b"\xff" * 9 + b"\x01"),
    ("int_val", [-3], "DT_INT16", b"\x08\x05\x12\x00:\n\xfd" + b"\xff" * 8 + b"\x01"),
    ("float_val", [1], "DT_FLOAT", b"\x08\x01\x12\x08\x12\x02\x08\x02\x12\x02\x08\x02*\x04\x00\x00\x80?"),
]

MADE_BY_TENSORFLOW = [
    ("VariableDef", FLOAT_VARIABLE),
    ("VariableDef", RESOURCE_VARIABLE),
    ("VariableDef", PART_OF_A_VARIABLE),
    ("GraphDef", GRAPH),
    ("MetaGraphDef", META_GRAPH),
    ("AttrValue", LIST_VALUE),
    ("AttrValue", FUNC_VALUE),
    ("AttrValue", b"J\x01T"),
    *[("TensorProto", data) for *_, data in TENSORS],
]


def serialize(message: Any) -> bytes:
    """Return the bytes of ``message``, its maps in the order of their keys."""
    return bytes(message.SerializeToString(deterministic=True))


def is_repeated(field: Any) -> bool:
    """Return whether ``field`` is repeated, as the installed version of protobuf puts it."""
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)


def type_name(field: Any) -> str:
    """Return the type of ``field`` as a .proto file writes it."""
    composite = field.message_type or field.enum_type
    if composite:
        return str(composite.full_name).removeprefix("nbvars.v1.")
    return str(descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)).removeprefix("TYPE_").lower()


def value_of_map(field: Any) -> Any:
    """Return the field of the values of a map, or ``None`` if ``field`` is no map."""
    is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
    return field.message_type.fields_by_name["value"] if is_map else None


def fields_of(descriptor: Any) -> str:
    """Return the fields of a message in the words of ``FIELDS``."""
    fields = sorted(descriptor.fields, key=lambda field: field.number)
    return ", ".join(f"{'*' * is_repeated(field)}{type_name(field)} {field.name} {field.number}" for field in fields)


def fill(message: Any, depth: int = 4) -> Any:
    """Give every field of ``message`` a value; of a oneof the last field wins. Messages nest up to ``depth``."""
    scalars = {
        "bool": True,
        "bytes": b"\x00\xff",
        "double": 1e300,
        "float": -0.5,
        "int32": -(2**31),
        "int64": 2**63 - 1,
        "string": "Größe",
        "uint32": 2**32 - 1,
        "uint64": 2**64 - 1,
    }
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is None:
            scalar = 2 if field.enum_type else scalars[type_name(field)]
            value.extend([scalar, scalar]) if is_repeated(field) else setattr(message, field.name, scalar)
        elif depth == 0:
            continue
        elif field.message_type.GetOptions().map_entry:
            for key in ("b", "a"):
                fill(value[key], depth - 1)
        elif is_repeated(field):
            fill(value.add(), depth - 1)
        else:
            value.SetInParent()
            fill(value, depth - 1)
    return message


def test_there_are_these_messages_and_no_others():
    assert set(descriptors.MESSAGES) == set(FIELDS)


@pytest.mark.parametrize("name", FIELDS)
def test_fields_have_tensorflows_numbers_types_and_labels(name):
    assert fields_of(proto.message_class(name).DESCRIPTOR) == FIELDS[name]


@pytest.mark.parametrize(
    ("name", "oneof", "num_fields"), [("AttrValue", "value", 10), ("CollectionDef", "kind", 5), ("GraphDef", None, 0)]
)
def test_oneofs_hold_tensorflows_fields(name, oneof, num_fields):
    oneofs = proto.message_class(name).DESCRIPTOR.oneofs
    assert [(each.name, len(each.fields)) for each in oneofs] == ([(oneof, num_fields)] if oneof else [])


def test_data_types_have_tensorflows_numbers():
    types = [(f"DT_{name}", number) for number, name in enumerate(DATA_TYPES.split())]
    references = [(f"{name}_REF", 100 + number) for name, number in types[1:]]
    assert proto.DataType.items() == types + references


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (nbvars.float16, "DT_HALF"),
        (nbvars.bfloat16, "DT_BFLOAT16"),
        (nbvars.float32, "DT_FLOAT"),
        (nbvars.float64, "DT_DOUBLE"),
        (nbvars.int64, "DT_INT64"),
        (nbvars.uint8, "DT_UINT8"),
        (nbvars.bool, "DT_BOOL"),
        (nbvars.complex128, "DT_COMPLEX128"),
    ],
)
def test_data_types_are_the_numbers_of_dtypes(dtype, name):
    assert proto.DataType.Value(name) == dtype.as_datatype_enum


def test_enums_of_variables_have_tensorflows_numbers():
    synchronization = ["AUTO", "NONE", "ON_WRITE", "ON_READ"]
    aggregation = ["NONE", "SUM", "MEAN", "ONLY_FIRST_REPLICA"]
    for enum, names in [("SYNCHRONIZATION", synchronization), ("AGGREGATION", aggregation)]:
        wrapper = getattr(proto, f"Variable{enum.capitalize()}")
        assert wrapper.keys() == [f"VARIABLE_{enum}_{name}" for name in names]
        assert wrapper.values() == [0, 1, 2, 3]


def test_the_proto_file_lists_the_fields_of_the_descriptors():
    text = Path(proto.__file__).with_name("nbvars.proto").read_text("utf-8")
    line = re.compile(r"^ +(repeated |optional |)(map<string, )?([\w.]+)>? (\w+) = (\d+);$", re.MULTILINE)
    written = [
        (label == "repeated " or bool(is_map), kind, name, int(number))
        for label, is_map, kind, name, number in line.findall(text)
        if not name.isupper()
    ]
    built = []
    for cls in descriptors.MESSAGES.values():
        if cls.DESCRIPTOR.GetOptions().map_entry:
            continue
        for field in cls.DESCRIPTOR.fields:
            # The file names a nested type as seen from inside its message, and a map by the type of its values.
            kind = type_name(value_of_map(field) or field).removeprefix(f"{cls.__qualname__}.")
            built.append((is_repeated(field), kind, field.name, field.number))
    assert sorted(written) == sorted(built)


@pytest.mark.skipif(not importlib.util.find_spec("grpc_tools"), reason="needs a compiler: pip install grpcio-tools")
def test_protoc_reads_the_proto_file_as_we_do(tmp_path):
    folder = Path(proto.__file__).parent
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", f"--descriptor_set_out={tmp_path}/set"]
    subprocess.run([*command, "nbvars.proto"], check=True)
    compiled = descriptor_pb2.FileDescriptorSet.FromString((tmp_path / "set").read_bytes()).file[0]
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(compiled.SerializeToString())
    for name, cls in descriptors.MESSAGES.items():
        theirs, ours = pool.FindMessageTypeByName(f"nbvars.v1.{name}"), cls.DESCRIPTOR
        assert fields_of(theirs) == fields_of(ours)
        assert [oneof.name for oneof in theirs.oneofs] == [oneof.name for oneof in ours.oneofs]
        assert [field.has_presence for field in theirs.fields] == [field.has_presence for field in ours.fields]
    for name, enum in descriptors.ENUMS.items():
        values = pool.FindEnumTypeByName(f"nbvars.v1.{name}").values
        assert [(value.name, value.number) for value in values] == enum.items()


@pytest.mark.parametrize("name", FIELDS)
def test_every_message_survives_its_bytes(name):
    message = fill(proto.message_class(name)())
    data = serialize(message)
    parsed = proto.parse(name, data)
    assert parsed == message
    assert serialize(parsed) == data
    assert bool(data) == bool(FIELDS[name])


@pytest.mark.parametrize(("name", "data"), MADE_BY_TENSORFLOW)
def test_bytes_of_tensorflow_are_written_back_as_they_were(name, data):
    assert serialize(proto.parse(name, data)) == data


def test_a_variable_def_of_tensorflow_is_understood():
    variable = proto.parse("VariableDef", RESOURCE_VARIABLE)
    assert variable.variable_name == "b:0"
    assert variable.initializer_name == "b/Assign"
    assert variable.snapshot_name == "b/Read/ReadVariableOp:0"
    assert variable.initial_value_name == "b/Initializer/initial_value:0"
    assert variable.is_resource
    assert variable.synchronization == proto.VariableSynchronization.VARIABLE_SYNCHRONIZATION_ON_READ
    assert variable.aggregation == proto.VariableAggregation.VARIABLE_AGGREGATION_MEAN
    assert not variable.HasField("save_slice_info_def")


def test_a_part_of_a_variable_of_tensorflow_is_understood():
    part = proto.parse("VariableDef", PART_OF_A_VARIABLE).save_slice_info_def
    assert part.full_name == "p"
    assert (part.full_shape, part.var_offset, part.var_shape) == ([4, 2], [2, 0], [2, 2])


def test_a_graph_of_tensorflow_is_understood():
    graph = proto.parse("GraphDef", GRAPH)
    assert [(node.name, node.op, list(node.input)) for node in graph.node] == [
        ("a/initial_value", "Const", []),
        ("a", "VariableV2", []),
        ("a/Assign", "Assign", ["a", "a/initial_value"]),
        ("a/read", "Identity", ["a"]),
    ]
    constant, variable, assign, _ = graph.node
    assert constant.attr["value"].tensor.tensor_content == b"\x00\x00\x80?\x00\x00\x00@"
    assert variable.attr["shape"].WhichOneof("value") == "shape"
    assert [dim.size for dim in variable.attr["shape"].shape.dim] == [2]
    assert assign.attr["T"].type == proto.DataType.DT_FLOAT
    assert assign.attr["_class"].list.s == [b"loc:@a"]
    assert assign.attr["use_locking"].b
    assert graph.versions.producer == 2474


def test_a_meta_graph_of_tensorflow_is_understood():
    meta_graph = proto.parse("MetaGraphDef", META_GRAPH)
    assert meta_graph.meta_info_def.tensorflow_version == "2.21.0"
    assert meta_graph.meta_info_def.stripped_default_attrs
    assert meta_graph.graph_def.versions.producer == 2588
    collections = meta_graph.collection_def
    assert sorted(collections) == ["floats", "ints", "trainable_variables", "variables"]
    assert collections["floats"].float_list.value == [1.5]
    assert collections["ints"].int64_list.value == [7]
    assert collections["variables"].bytes_list.value == [FLOAT_VARIABLE]


def test_lists_and_functions_of_tensorflow_are_understood():
    values = proto.parse("AttrValue", LIST_VALUE).list
    assert values.type == [proto.DataType.DT_FLOAT, proto.DataType.DT_FLOAT_REF]
    assert values.shape[0].dim[0].size == -1
    assert values.shape[1].unknown_rank
    assert (values.f, values.s) == ([0.5], [b"\xff"])
    function = proto.parse("AttrValue", FUNC_VALUE).func
    assert function.name == "f"
    assert function.attr["T"].type == proto.DataType.DT_FLOAT


@pytest.mark.parametrize(("field", "elements", "dtype", "data"), TENSORS)
def test_tensors_of_tensorflow_are_understood(field, elements, dtype, data):
    tensor = proto.parse("TensorProto", data)
    assert proto.DataType.Name(tensor.dtype) == dtype
    assert getattr(tensor, field) == elements


def test_trainable_keeps_false_apart_from_absent():
    absent, false, true = proto.VariableDef(), proto.VariableDef(trainable=False), proto.VariableDef(trainable=True)
    assert [serialize(message) for message in (absent, false, true)] == [b"", b"8\x00", b"8\x01"]
    parsed = [proto.parse("VariableDef", serialize(message)) for message in (absent, false, true)]
    assert [message.HasField("trainable") for message in parsed] == [False, True, True]
    assert [message.trainable for message in parsed] == [False, False, True]


def test_a_oneof_keeps_a_default_that_was_set():
    value = proto.AttrValue(b=False)
    assert serialize(value) == b"(\x00"
    assert proto.parse("AttrValue", b"(\x00").WhichOneof("value") == "b"


def test_numbers_of_enums_that_are_not_known_survive():
    tensor = proto.parse("TensorProto", b"\x08\xe7\x07")
    assert tensor.dtype == 999
    assert serialize(tensor) == b"\x08\xe7\x07"


@pytest.mark.parametrize(
    ("name", "unknown"),
    [
        ("VariableDef", b"\xa0\x06\x07"),  # field 100, a number
        ("VariableDef", b"\xaa\x06\x02hi"),  # field 101, bytes
        ("NodeDef", b"2\x05\n\x03old"),  # experimental_debug_info
        ("MetaGraphDef", b"*\x06\n\x04tags"),  # signature_def
        ("OpList", b"\n\x05\n\x03Add"),  # op
    ],
)
def test_unknown_fields_survive(name, unknown):
    message = proto.parse(name, unknown)
    assert not message.ListFields()
    assert serialize(message) == unknown
    copied = proto.message_class(name)()
    copied.CopyFrom(message)
    assert serialize(copied) == unknown


def test_messages_carried_whole_can_be_moved_to_another_message():
    moved = proto.MetaGraphDef()
    moved.saver_def.CopyFrom(proto.parse("MetaGraphDef", META_GRAPH).saver_def)
    assert serialize(moved) == b"\x1a\x05\n\x01f \x05"


def test_any_is_read_as_protobufs_own_any():
    collection = proto.CollectionDef()
    collection.any_list.value.add(type_url="type.googleapis.com/tensorflow.VersionDef", value=b"\x08\x03")
    ours = collection.any_list.value[0]
    theirs = any_pb2.Any.FromString(serialize(ours))
    assert (theirs.TypeName(), theirs.value) == ("tensorflow.VersionDef", b"\x08\x03")
    assert serialize(theirs) == serialize(ours)


MALFORMED = {
    "no number of a field": b"\xff",
    "field 0": b"\x00\x01",
    "cut off in a string": FLOAT_VARIABLE[:3],
    "cut off before a value": b"8",
    "number too long": b"8" + b"\xff" * 11,
    "end of a group that did not begin": b"\x0c",
    "not UTF-8": b"\n\x02\xff\xfe",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed_bytes_are_a_clear_error(data):
    expected = rf"proto.parse: data is malformed: got {len(data)} bytes that do not parse .*, expected a serialized Var"
    with pytest.raises(ValueError, match=expected) as raised:
        proto.parse("VariableDef", data)
    assert raised.value.__cause__ is not None


def test_a_malformed_message_within_a_message_is_an_error():
    with pytest.raises(ValueError, match="expected a serialized GraphDef message"):
        proto.parse("GraphDef", b"\n\x03\n\x09a")


@given(data=st.binary(max_size=40))
def test_any_bytes_are_a_message_or_a_value_error(data):
    wrong = ""
    try:
        written = serialize(proto.parse("NodeDef", data))
        wrong = "" if serialize(proto.parse("NodeDef", written)) == written else "not written as read"
    except ValueError as error:
        wrong = str(error)
    assert wrong == "" or wrong.startswith("proto.parse: data is malformed: got ")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, lambda data: memoryview(data + data)[: len(data)]])
def test_parse_takes_every_kind_of_bytes(kind):
    assert proto.parse("VariableDef", kind(FLOAT_VARIABLE)).variable_name == "a:0"


@pytest.mark.parametrize("data", ["a:0", None, 3, [1, 2]])
def test_parse_takes_nothing_else(data):
    got = f"proto.parse: data has the wrong type: got {type(data).__name__}, expected bytes, bytearray or memoryview"
    with pytest.raises(TypeError, match=got):
        proto.parse("VariableDef", data)


def test_message_class_gives_one_class_for_a_name():
    assert proto.message_class("VariableDef") is proto.VariableDef
    assert type(proto.parse("VariableDef", b"")) is proto.VariableDef
    assert proto.message_class("AttrValue.ListValue") is proto.AttrValue.ListValue
    assert type(proto.AttrValue().list) is proto.AttrValue.ListValue


@pytest.mark.parametrize("name", ["variabledef", "DataType", "", "nbvars.v1.VariableDef"])
def test_a_message_that_does_not_exist_is_an_error(name):
    with pytest.raises(ValueError, match=f"there is no such message: got '{name}', expected one of .*'VariableDef'"):
        proto.message_class(name)


@pytest.mark.parametrize("name", ["NoSuchDef", "variable_def", "__wrapped__"])
def test_an_attribute_that_does_not_exist_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"module 'nbvars.proto' has no attribute '{name}'"):
        getattr(proto, name)


def test_messages_can_be_copied_and_pickled():
    graph = proto.parse("GraphDef", GRAPH)
    for twin in (copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))):
        assert type(twin) is proto.GraphDef
        assert twin == graph
        assert twin is not graph


def test_the_pool_of_everyone_else_does_not_hold_our_messages():
    proto.message_class("VariableDef")
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("nbvars.v1.VariableDef")


def test_protobuf_is_imported_at_the_first_use_and_the_classes_are_made_once():
    code = """
import sys
import nbvars.proto
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
loaded = lambda: any(name.startswith("google.protobuf") for name in sys.modules)
print(loaded(), hasattr(nbvars.proto, "__wrapped__"), loaded())
barrier = Barrier(4)
def first_use(_):
    barrier.wait()
    return nbvars.proto.VariableDef
with ThreadPoolExecutor(4) as threads:
    print(len(set(threads.map(first_use, range(4)))), loaded())
"""
    assert run_python(code).split() == ["False", "False", "False", "1", "True"]


def test_without_protobuf_the_error_says_what_to_install():
    code = """
import sys
sys.modules["google.protobuf"] = None
import nbvars.proto
for use in (lambda: nbvars.proto.GraphDef, lambda: nbvars.proto.parse("GraphDef", b"")):
    try:
        use()
    except ImportError as error:
        print(error)
"""
    lines = run_python(code).splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("nbvars.proto: protobuf is missing: got ")
        assert line.endswith("expected protobuf 4.25 or newer; pip install nbvars[proto]")
