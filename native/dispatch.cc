#include "dispatch.h"

#include <ATen/core/function_schema.h>

#include <unordered_set>

#include "convert.h"
#include "describe.h"
#include "errors.h"

namespace smaug {

namespace {

// Enough for almost every op; the rest read their arguments a second time.
constexpr size_t kInlineArguments = 12;

std::string qualifiedName(const c10::OperatorName& name) {
  return name.overload_name.empty() ? name.name : name.name + "." + name.overload_name;
}

// The environment's stack, borrowed for one call. Converting an argument may run JavaScript (a getter) that makes a call
// of its own, which then finds none and takes a new one. Empty again however the call ends.
class BorrowedStack {
 public:
  explicit BorrowedStack(Environment& state) : state_(state) { values.swap(state.stack); }
  ~BorrowedStack() {
    values.clear();
    values.swap(state_.stack);
  }

  std::vector<c10::IValue> values;

 private:
  Environment& state_;
};

struct Mix {
  bool meta = false, data = false;

  // Kernels read a tensor without dimensions as a number, wherever it is.
  void add(const c10::IValue& value) {
    if (value.isTensor() && value.toTensor().defined()) {
      const at::Tensor& tensor = value.toTensor();
      if (tensor.is_meta()) meta = true;
      else if (tensor.dim() > 0) data = true;
    } else if (value.isList()) {
      for (const c10::IValue& element : value.toListRef()) add(element);
    }
  }
};

// A meta tensor has a shape and no memory. Some kernels of libtorch read that memory when the other tensors have some,
// and end the process (native_group_norm with a meta weight). Operators that copy, or want a shape or indices only, may mix.
void refuseMixedWithMeta(const Operator& op, const std::vector<c10::IValue>& stack) {
  static const std::unordered_set<std::string> mayMix = {
      "aten::copy_", "aten::copy", "aten::_foreach_copy_", "aten::_copy_from", "aten::set_data", "aten::expand_as",
      "aten::view_as", "aten::reshape_as", "aten::resize_as_", "aten::type_as", "aten::is_same_size", "aten::is_set_to",
      "aten::index", "aten::index_put", "aten::index_put_", "aten::_has_compatible_shallow_copy_type"};
  Mix mix;
  for (const c10::IValue& value : stack) mix.add(value);
  if (!mix.meta || !mix.data || mayMix.count(op.handle.operator_name().name) > 0) return;
  throw BoundaryError("TorchError", "Expected either meta tensors or tensors with data but received both");
}

napi_value call(napi_env env, Environment& state, Operator& op, const napi_value* values, size_t count) {
  const size_t arity = op.arguments.size();
  if (count > arity)
    throw BoundaryError("TypeError", "expected at most " + std::to_string(arity) + " arguments but received " +
                                         std::to_string(count));
  BorrowedStack borrowed(state);
  auto& stack = borrowed.values;
  for (size_t i = 0; i < count; i++) stack.emplace_back(toIValue(env, state, op.arguments[i], values[i]));
  for (size_t i = count; i < arity; i++) stack.push_back(defaultOf(op.arguments[i]));
  if (state.hadMetaTensors) refuseMixedWithMeta(op, stack);
  op.handle.callBoxed(stack);

  // A return that the schema calls an argument is known to JavaScript already: no new slot.
  const auto& types = op.returnTypes;
  if (types.size() == 1 && op.returnAliases[0] < 0) return fromIValue(env, state, std::move(stack[0]), *types[0]);
  if (types.size() <= 1) return nullptr;
  NewSlots slots(state);
  auto results = Napi::Array::New(env, types.size());
  for (size_t i = 0; i < types.size(); i++) {
    if (op.returnAliases[i] < 0)
      results.Set(static_cast<uint32_t>(i), Napi::Value(env, fromIValue(env, state, std::move(stack[i]), *types[i], &slots)));
  }
  slots.keep();
  return results;
}

// For an error message, and so without one of its own.
std::string describeCall(napi_env env, Environment& state, const Operator& op, const napi_value* values, size_t count) noexcept {
  const std::string name = qualifiedName(op.handle.operator_name());
  try {
    return name + "(" + describeArguments(env, state, op, values, count) + ")";
  } catch (...) {
    return name;
  }
}

int32_t lookUp(Environment& state, const std::string& name) {
  const auto known = state.operatorIds.find(name);
  if (known != state.operatorIds.end()) return known->second;
  const auto dot = name.find('.', name.find("::") == std::string::npos ? 0 : name.find("::"));
  const bool overloaded = dot != std::string::npos;
  const auto handle = c10::Dispatcher::singleton().findSchema(
      {overloaded ? name.substr(0, dot) : name, overloaded ? name.substr(dot + 1) : ""});
  if (!handle) return -1;
  state.operators.push_back(describe(*handle));
  const auto id = static_cast<int32_t>(state.operators.size() - 1);
  state.operatorIds.emplace(name, id);
  return id;
}

Operator& operatorAt(Environment& state, int32_t id) {
  if (id < 0 || static_cast<size_t>(id) >= state.operators.size())
    throw BoundaryError("TypeError", "unknown operator id " + std::to_string(id));
  return state.operators[id];
}

}  // namespace

napi_value callOperator(napi_env env, napi_callback_info info) {
  napi_value inlined[kInlineArguments];
  std::vector<napi_value> spilled;
  napi_value* values = inlined;
  size_t count = kInlineArguments;
  void* data = nullptr;
  napi_get_cb_info(env, info, &count, values, nullptr, &data);
  if (count > kInlineArguments) {
    spilled.resize(count);
    values = spilled.data();
    napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
  }
  auto& state = *static_cast<Environment*>(data);
  Operator* op = nullptr;
  try {
    int32_t id = -1;
    if (count == 0 || !readSlot(env, state, values[0], &id)) throw BoundaryError("TypeError", "native call: expected an operator's id");
    op = &operatorAt(state, id);
    return call(env, state, *op, values + 1, count - 1);
  } catch (const Napi::Error& error) {
    throwInto(env, error);
  } catch (...) {
    const Failure failure = currentFailure();
    const std::string context = op == nullptr ? "" : describeCall(env, state, *op, values + 1, count - 1);
    napi_throw(env, makeError(env, state, failure, context));
  }
  return nullptr;
}

// findOperator("aten::add.Tensor"): its id, or -1.
Napi::Value findOperator(const Napi::CallbackInfo& info, Environment& state) {
  return Napi::Number::New(info.Env(), lookUp(state, stringArgument(info, 0)));
}

// Every operator of the dispatcher, as `namespace::name.overload`.
Napi::Value operatorNames(const Napi::CallbackInfo& info, Environment&) {
  auto names = Napi::Array::New(info.Env());
  for (const auto& name : c10::Dispatcher::singleton().getAllOpNames())
    if (c10::Dispatcher::singleton().findSchema(name)) names.Set(names.Length(), qualifiedName(name));
  return names;
}

Napi::Value describeOperator(const Napi::CallbackInfo& info, Environment& state) {
  const Napi::Env env = info.Env();
  const Operator& op = operatorAt(state, intArgument(info, 0));
  const auto& schema = op.handle.schema();
  auto arguments = Napi::Array::New(env);
  for (const Argument& argument : op.arguments) {
    auto object = Napi::Object::New(env);
    object["name"] = argument.name;
    object["kind"] = kindName(argument.kind);
    object["list"] = argument.list;
    object["optional"] = argument.optional;
    object["optionalElement"] = argument.optionalElement;
    object["size"] = argument.size;
    object["hasDefault"] = argument.hasDefault;
    object["kwargOnly"] = argument.kwargOnly;
    arguments.Set(arguments.Length(), object);
  }
  auto returns = Napi::Array::New(env);
  for (size_t i = 0; i < schema.returns().size(); i++) {
    auto object = Napi::Object::New(env);
    object["type"] = schema.returns()[i].real_type()->str();
    object["name"] = schema.returns()[i].name();
    object["aliasOf"] = op.returnAliases[i];
    returns.Set(static_cast<uint32_t>(i), object);
  }
  auto description = Napi::Object::New(env);
  description["name"] = schema.name();
  description["overload"] = schema.overload_name();
  description["schema"] = c10::toString(schema);
  description["arguments"] = arguments;
  description["returns"] = returns;
  return description;
}

}  // namespace smaug
