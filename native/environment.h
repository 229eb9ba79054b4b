// What the addon keeps for one Node environment (the main thread or one worker): nothing is process-wide but the CPU
// allocator, so every worker and every test pool may load the addon on its own.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <napi.h>

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
  Napi::FunctionReference makeError;
  int64_t reportedBytes = 0;  // what V8 was last told of memory outside its heap
};

}  // namespace smaug
