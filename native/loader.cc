// The loader: opens libtorch's libraries so that every later module sees their symbols. Node's process.dlopen cannot
// (it wants an addon, and closes anything else), and the addon itself is not linked to libtorch.
#include <dlfcn.h>
#include <napi.h>

namespace {

// open(path): undefined, or an Error with the dynamic linker's own words.
Napi::Value open(const Napi::CallbackInfo& info) {
  if (info.Length() != 1 || !info[0].IsString())
    throw Napi::TypeError::New(info.Env(), "open: expected the path of a library");
  const std::string path = info[0].As<Napi::String>();
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) throw Napi::Error::New(info.Env(), dlerror());
  return info.Env().Undefined();
}

// hasSymbol(name): whether an opened library has it. Tells a libtorch of the old C++ ABI before the addon crashes on it.
Napi::Value hasSymbol(const Napi::CallbackInfo& info) {
  if (info.Length() != 1 || !info[0].IsString())
    throw Napi::TypeError::New(info.Env(), "hasSymbol: expected the name of a symbol");
  const std::string name = info[0].As<Napi::String>();
  return Napi::Boolean::New(info.Env(), dlsym(RTLD_DEFAULT, name.c_str()) != nullptr);
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports["open"] = Napi::Function::New(env, open, "open");
  exports["hasSymbol"] = Napi::Function::New(env, hasSymbol, "hasSymbol");
  return exports;
}

}  // namespace

NODE_API_MODULE(loader, init)
