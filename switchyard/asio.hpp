// Switchyard inside a program that is built on Asio: a shard on the program's own executor, and tasks as Asio
// operations. The only public header that includes Asio.
#pragma once

#include <switchyard/runtime/asio_bridge.hpp>
#include <switchyard/runtime/asio_task.hpp>
