#include "convert.h"

#include <ATen/core/function_schema.h>
#include <ATen/core/jit_type.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cmath>

#include "device.h"
#include "errors.h"

namespace smaug {

namespace {

[[noreturn]] void mismatch(const Argument& argument, const char* expected) {
  throw BoundaryError("TypeError", "expected " + std::string(expected) + " for argument '" + argument.name + "'");
}

napi_valuetype typeOf(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  napi_typeof(env, value, &type);
  return type;
}

int32_t toSlot(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  int32_t slot = -1;
  if (!readSlot(env, state, value, &slot))
    mismatch(argument, argument.kind == Kind::Generator ? "a generator" : "a tensor's slot");
  return slot;
}

const at::Tensor& toTensor(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  return tensorAt(state, toSlot(env, state, argument, value));
}

int64_t toInt(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  double number = 0;
  if (readNumber(env, state, value, &number)) {
    if (std::trunc(number) == number && std::abs(number) <= 9007199254740992.0) return static_cast<int64_t>(number);
    mismatch(argument, "an integer");
  }
  int64_t integer = 0;
  bool flag = false;
  switch (typeOf(env, value)) {
    case napi_bigint:
      if (napi_get_value_bigint_int64(env, value, &integer, &flag) == napi_ok && flag) return integer;  // lossless
      break;
    case napi_boolean:
      if (napi_get_value_bool(env, value, &flag) == napi_ok) return flag ? 1 : 0;
      break;
    default: break;
  }
  mismatch(argument, "an integer");
}

// libtorch looks enumerations up in tables without checking them.
template <class Enumeration>
int64_t toCode(napi_env env, Environment& state, const Argument& argument, napi_value value, Enumeration end) {
  const int64_t code = toInt(env, state, argument, value);
  if (code < 0 || code >= static_cast<int64_t>(end)) mismatch(argument, "a code of libtorch's");
  return code;
}

double toDouble(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  double number = 0;
  if (!readNumber(env, state, value, &number)) mismatch(argument, "a number");
  return number;
}

bool toBool(napi_env env, const Argument& argument, napi_value value) {
  bool boolean = false;
  if (typeOf(env, value) != napi_boolean || napi_get_value_bool(env, value, &boolean) != napi_ok)
    mismatch(argument, "a boolean");
  return boolean;
}

std::string toString(napi_env env, const Argument& argument, napi_value value) {
  if (typeOf(env, value) != napi_string) mismatch(argument, "a string");
  return Napi::String(env, value).Utf8Value();
}

// An integral number is an int Scalar, so that `int64Tensor.add(1)` stays int64; every other number is a double.
at::Scalar toScalar(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  switch (typeOf(env, value)) {
    case napi_number: {
      const double number = toDouble(env, state, argument, value);
      const bool integral = std::trunc(number) == number && std::abs(number) <= 9007199254740991.0;
      if (integral && !(number == 0 && std::signbit(number))) return at::Scalar(static_cast<int64_t>(number));
      return at::Scalar(number);
    }
    case napi_boolean:
      return at::Scalar(toBool(env, argument, value));
    case napi_bigint: {
      uint64_t natural = 0;
      bool lossless = false;
      napi_get_value_bigint_uint64(env, value, &natural, &lossless);
      return lossless ? at::Scalar(natural) : at::Scalar(toInt(env, state, argument, value));
    }
    case napi_object: {
      Napi::Object complex(env, value);
      const Napi::Value real = complex.Get("real"), imag = complex.Get("imag");
      if (real.IsNumber() && imag.IsNumber())
        return at::Scalar(c10::complex<double>(toDouble(env, state, argument, real), toDouble(env, state, argument, imag)));
      mismatch(argument, "a number, bigint, boolean or { real, imag }");
    }
    default:
      mismatch(argument, "a number, bigint, boolean or { real, imag }");
  }
}

std::vector<napi_value> elements(napi_env env, const Argument& argument, napi_value value) {
  bool isArray = false;
  napi_is_array(env, value, &isArray);
  if (!isArray) {
    if (argument.size > 0) return std::vector<napi_value>(argument.size, value);
    mismatch(argument, "an array");
  }
  uint32_t length = 0;
  napi_get_array_length(env, value, &length);
  std::vector<napi_value> result(length);
  for (uint32_t i = 0; i < length; i++)
    if (napi_get_element(env, value, i, &result[i]) != napi_ok) mismatch(argument, "a readable array");
  return result;
}

bool isNone(napi_env env, napi_value value) {
  const auto type = typeOf(env, value);
  return type == napi_null || type == napi_undefined;
}

template <class T, class F>
c10::IValue listOf(napi_env env, const Argument& argument, napi_value value, F convert) {
  c10::List<T> list;
  for (napi_value element : elements(env, argument, value)) list.push_back(convert(element));
  return list;
}

c10::IValue toList(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  switch (argument.kind) {
    case Kind::Tensor:
      if (argument.optionalElement)
        return listOf<std::optional<at::Tensor>>(env, argument, value, [&](napi_value v) {
          return isNone(env, v) ? std::nullopt : std::optional<at::Tensor>(toTensor(env, state, argument, v));
        });
      return listOf<at::Tensor>(env, argument, value, [&](napi_value v) { return toTensor(env, state, argument, v); });
    case Kind::Int:
      return listOf<int64_t>(env, argument, value, [&](napi_value v) { return toInt(env, state, argument, v); });
    case Kind::Float:
      return listOf<double>(env, argument, value, [&](napi_value v) { return toDouble(env, state, argument, v); });
    case Kind::Bool:
      return listOf<bool>(env, argument, value, [&](napi_value v) { return toBool(env, argument, v); });
    case Kind::Scalar: {
      auto list = c10::impl::GenericList(c10::NumberType::get());
      for (napi_value v : elements(env, argument, value)) list.push_back(c10::IValue(toScalar(env, state, argument, v)));
      return list;
    }
    default:
      throw BoundaryError("NotImplementedError",
                          "a list of " + std::string(kindName(argument.kind)) + " cannot be passed from JavaScript");
  }
}

c10::IValue toElement(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  switch (argument.kind) {
    case Kind::Tensor: return toTensor(env, state, argument, value);
    case Kind::Scalar: return c10::IValue(toScalar(env, state, argument, value));
    case Kind::Int: return toInt(env, state, argument, value);
    case Kind::ScalarType: return toCode(env, state, argument, value, c10::ScalarType::NumOptions);
    case Kind::MemoryFormat: return toCode(env, state, argument, value, c10::MemoryFormat::NumOptions);
    case Kind::Layout: return toCode(env, state, argument, value, c10::Layout::NumOptions);
    case Kind::Float: return toDouble(env, state, argument, value);
    case Kind::Bool: return toBool(env, argument, value);
    case Kind::String: return toString(env, argument, value);
    case Kind::Device: return deviceNamed(toString(env, argument, value), true);
    case Kind::Storage: return toTensor(env, state, argument, value).storage();
    case Kind::Generator: {
      at::Generator* generator = state.generators.find(toSlot(env, state, argument, value));
      if (generator == nullptr) mismatch(argument, "a generator");
      return *generator;
    }
    case Kind::Stream: {  // named by its device: the current stream there
      const c10::Device device = deviceNamed(toString(env, argument, value));
      return c10::impl::VirtualGuardImpl(device.type()).getStream(device);
    }
    case Kind::Other: break;
  }
  throw BoundaryError("NotImplementedError", "argument '" + argument.name + "' has a type JavaScript cannot pass");
}

Kind kindOf(const c10::Type& type) {
  switch (type.kind()) {
    case c10::TypeKind::TensorType: return Kind::Tensor;
    case c10::TypeKind::NumberType: return Kind::Scalar;
    case c10::TypeKind::IntType:
    case c10::TypeKind::SymIntType: return Kind::Int;
    case c10::TypeKind::FloatType:
    case c10::TypeKind::SymFloatType: return Kind::Float;
    case c10::TypeKind::BoolType:
    case c10::TypeKind::SymBoolType: return Kind::Bool;
    case c10::TypeKind::StringType: return Kind::String;
    case c10::TypeKind::ScalarTypeType: return Kind::ScalarType;
    case c10::TypeKind::LayoutType: return Kind::Layout;
    case c10::TypeKind::DeviceObjType: return Kind::Device;
    case c10::TypeKind::MemoryFormatType: return Kind::MemoryFormat;
    case c10::TypeKind::GeneratorType: return Kind::Generator;
    case c10::TypeKind::StorageType: return Kind::Storage;
    case c10::TypeKind::StreamObjType: return Kind::Stream;
    default: return Kind::Other;
  }
}

const c10::Type* optionalElement(const c10::Type& type) {
  return type.kind() == c10::TypeKind::OptionalType ? type.castRaw<c10::OptionalType>()->getElementType().get() : nullptr;
}

Argument describe(const c10::Argument& source) {
  Argument argument;
  argument.name = source.name();
  argument.size = source.N().value_or(0);
  argument.kwargOnly = source.kwarg_only();
  argument.hasDefault = source.default_value().has_value();
  if (argument.hasDefault) argument.defaultValue = *source.default_value();
  const c10::Type* type = source.real_type().get();
  if (const auto* inner = optionalElement(*type)) {
    argument.optional = true;
    type = inner;
  }
  if (type->kind() == c10::TypeKind::ListType) {
    argument.list = true;
    type = type->castRaw<c10::ListType>()->getElementType().get();
    if (const auto* inner = optionalElement(*type)) {
      argument.optionalElement = true;
      type = inner;
    }
  }
  argument.kind = kindOf(*type);
  return argument;
}

int32_t aliasedArgument(const c10::FunctionSchema& schema, const c10::Argument& result) {
  const auto* alias = result.alias_info();
  if (alias == nullptr || !alias->isWrite()) return -1;
  const auto& arguments = schema.arguments();
  for (size_t i = 0; i < arguments.size(); i++) {
    const auto* other = arguments[i].alias_info();
    if (other != nullptr && other->isWrite() && other->beforeSets() == alias->beforeSets()) return static_cast<int32_t>(i);
  }
  return -1;
}

napi_value number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

// Integers beyond 2^53 come back as bigint, so that nothing is rounded.
napi_value integer(napi_env env, int64_t value) {
  if (std::abs(static_cast<double>(value)) <= 9007199254740991.0) return number(env, static_cast<double>(value));
  napi_value result = nullptr;
  napi_create_bigint_int64(env, value, &result);
  return result;
}

napi_value complexNumber(napi_env env, const c10::complex<double>& value) {
  auto object = Napi::Object::New(env);
  object["real"] = value.real();
  object["imag"] = value.imag();
  return object;
}

// Any value but a tensor.
napi_value fromOther(napi_env env, Environment& state, c10::IValue&& value, const c10::Type& type, NewSlots* slots) {
  if (value.isNone()) return Napi::Env(env).Null();
  if (value.isBool()) return Napi::Boolean::New(env, value.toBool());
  if (type.kind() == c10::TypeKind::QSchemeType) return Napi::String::New(env, toString(static_cast<c10::QScheme>(value.toInt())));
  if (value.isInt()) return integer(env, value.toInt());
  if (value.isUnsigned()) {  // a uint64 beyond int64
    napi_value result = nullptr;
    napi_create_bigint_uint64(env, value.toUInt(), &result);
    return result;
  }
  if (value.isDouble()) return number(env, value.toDouble());
  if (value.isComplexDouble()) return complexNumber(env, value.toComplexDouble());
  if (value.isString()) return Napi::String::New(env, value.toStringRef());
  if (value.isDevice()) return Napi::String::New(env, value.toDevice().str());
  if (value.isSymInt() || value.isSymFloat() || value.isSymBool())
    throw BoundaryError("NotImplementedError", "a symbolic number has no value in JavaScript");
  if (value.isList()) {
    const auto list = value.toListRef();
    const auto& element = type.kind() == c10::TypeKind::ListType ? *type.castRaw<c10::ListType>()->getElementType() : type;
    auto array = Napi::Array::New(env, list.size());
    for (size_t i = 0; i < list.size(); i++)
      array.Set(static_cast<uint32_t>(i), Napi::Value(env, fromIValue(env, state, c10::IValue(list[i]), element, slots)));
    return array;
  }
  if (value.isGenericDict()) {
    auto array = Napi::Array::New(env);
    for (const auto& entry : value.toGenericDict()) {
      auto pair = Napi::Array::New(env, 2);
      pair.Set(0u, Napi::Value(env, fromIValue(env, state, c10::IValue(entry.key()), type, slots)));
      pair.Set(1u, Napi::Value(env, fromIValue(env, state, c10::IValue(entry.value()), type, slots)));
      array.Set(array.Length(), pair);
    }
    return array;
  }
  throw BoundaryError("NotImplementedError", "a result of type " + value.tagKind() + " cannot be passed to JavaScript");
}

}  // namespace

Operator describe(const c10::OperatorHandle& handle) {
  Operator op{handle, {}, {}, {}};
  const auto& schema = handle.schema();
  for (const auto& argument : schema.arguments()) op.arguments.push_back(describe(argument));
  for (const auto& result : schema.returns()) {
    op.returnTypes.push_back(result.real_type());
    op.returnAliases.push_back(aliasedArgument(schema, result));
  }
  return op;
}

c10::IValue defaultOf(const Argument& argument) {
  if (argument.hasDefault) return argument.defaultValue;
  if (argument.optional) return c10::IValue();
  throw BoundaryError("TypeError", "missing argument '" + argument.name + "'");
}

c10::IValue toIValue(napi_env env, Environment& state, const Argument& argument, napi_value value) {
  // The case of almost every argument, first: a slot costs one call.
  if (argument.kind == Kind::Tensor && !argument.list) {
    int32_t slot = -1;
    if (readSlot(env, state, value, &slot)) return tensorAt(state, slot);
  }
  const auto type = typeOf(env, value);
  if (type == napi_undefined) return defaultOf(argument);
  if (type == napi_null && argument.optional) return c10::IValue();
  return argument.list ? toList(env, state, argument, value) : toElement(env, state, argument, value);
}

napi_value fromIValue(napi_env env, Environment& state, c10::IValue&& value, const c10::Type& type, NewSlots* slots) {
  if (value.isTensor()) {
    napi_value slot = nullptr;
    at::Tensor tensor = std::move(value).toTensor();
    if (!tensor.defined()) {
      napi_create_int32(env, -1, &slot);
      return slot;
    }
    state.hadMetaTensors |= tensor.is_meta();
    napi_create_int32(env, slots ? slots->put(std::move(tensor)) : state.tensors.put(std::move(tensor)), &slot);
    return slot;
  }
  if (slots != nullptr || !(value.isList() || value.isGenericDict())) return fromOther(env, state, std::move(value), type, slots);
  NewSlots own(state);
  napi_value result = fromOther(env, state, std::move(value), type, &own);
  own.keep();
  return result;
}

const char* kindName(Kind kind) {
  static const char* names[] = {"Tensor", "Scalar", "int",          "float",     "bool",    "str",    "dtype",
                                "layout", "Device", "MemoryFormat", "Generator", "Storage", "Stream", "other"};
  return names[static_cast<size_t>(kind)];
}

}  // namespace smaug
