// What the addon keeps for one Node environment (the main thread or one worker): nothing is process-wide but the CPU
// allocator, so every worker and every test pool may load the addon on its own.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/util/SmallVector.h>
#include <napi.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace smaug {

// Values in numbered slots. JavaScript holds the number: crossing the boundary costs an integer, not a wrapped object.
template <class T>
class SlotTable {
 public:
  int32_t put(T value) {
    if (free_.empty()) {
      values_.emplace_back(std::move(value));
      return static_cast<int32_t>(values_.size() - 1);
    }
    const int32_t slot = free_.back();
    free_.pop_back();
    values_[slot] = std::move(value);
    return slot;
  }

  // nullptr when the slot holds nothing.
  T* find(int32_t slot) {
    if (slot < 0 || static_cast<size_t>(slot) >= values_.size() || !values_[slot].defined()) return nullptr;
    return &values_[slot];
  }

  // Drops our reference only: what autograd saved stays alive. Dropping an empty slot does nothing.
  void drop(int32_t slot) {
    if (find(slot) == nullptr) return;
    values_[slot] = T();
    free_.push_back(slot);
  }

  size_t live() const { return values_.size() - free_.size(); }

 private:
  std::vector<T> values_;
  std::vector<int32_t> free_;
};

// The kinds of value in ATen's schemas, told apart by the schema's real type: a dtype is an int in the plain one.
enum class Kind : uint8_t {
  Tensor, Scalar, Int, Float, Bool, String, ScalarType, Layout, Device, MemoryFormat, Generator, Storage, Stream, Other
};

struct Argument {
  std::string name;
  Kind kind = Kind::Other;
  bool optional = false;         // T? : null is None
  bool list = false;             // T[]
  bool optionalElement = false;  // T?[]
  int32_t size = 0;              // int[2]: a single number is repeated
  bool hasDefault = false;
  bool kwargOnly = false;
  c10::IValue defaultValue;
};

struct Operator {
  c10::OperatorHandle handle;
  std::vector<Argument> arguments;
  std::vector<c10::TypePtr> returnTypes;
  // For each return, the argument it is when the schema says so (`Tensor(a!) self -> Tensor(a!)`), else -1.
  std::vector<int32_t> returnAliases;
};

struct Environment {
  SlotTable<at::Tensor> tensors;
  SlotTable<at::Generator> generators;
  std::deque<Operator> operators;  // stays in place as it grows: a call refers to its operator
  std::unordered_map<std::string, int32_t> operatorIds;
  std::vector<c10::IValue> stack;  // reused between calls
  // Whether Node-API's getters convert values of other types, as Deno's do: null and false are 0 there.
  bool lenientGetters = false;
  bool hadMetaTensors = false;     // calls are checked for a mix of meta tensors and others from then on
  Napi::FunctionReference makeError;
  int64_t reportedBytes = 0;  // what V8 was last told of memory outside its heap
};

// Reads a number; false for a value of any other type.
inline bool readNumber(napi_env env, const Environment& state, napi_value value, double* number) {
  if (state.lenientGetters) {
    napi_valuetype type = napi_undefined;
    if (napi_typeof(env, value, &type) != napi_ok || type != napi_number) return false;
  }
  return napi_get_value_double(env, value, number) == napi_ok;
}

// Reads a slot; false unless the value is a number and an integer of 32 bits. Never napi_get_value_int32, which makes 0 of
// NaN and of 2^32: slot 0 holds a tensor.
inline bool readSlot(napi_env env, const Environment& state, napi_value value, int32_t* slot) {
  double number = 0;
  if (!readNumber(env, state, value, &number) || !(number >= INT32_MIN && number <= INT32_MAX)) return false;
  *slot = static_cast<int32_t>(number);
  return *slot == number;
}

// The slots that a call has filled, emptied again unless the call gets as far as `keep`. A result of several tensors would
// otherwise leave some of them behind, owned by nobody, when a later one cannot be passed on.
class NewSlots {
 public:
  explicit NewSlots(Environment& state) : state_(state) {}
  ~NewSlots() {
    for (const int32_t slot : slots_) state_.tensors.drop(slot);
  }
  NewSlots(const NewSlots&) = delete;
  NewSlots& operator=(const NewSlots&) = delete;

  int32_t put(at::Tensor tensor) {
    const int32_t slot = state_.tensors.put(std::move(tensor));
    slots_.push_back(slot);
    return slot;
  }
  void keep() { slots_.clear(); }

 private:
  Environment& state_;
  c10::SmallVector<int32_t, 8> slots_;
};

}  // namespace smaug
