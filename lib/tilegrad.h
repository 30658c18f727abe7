/* tilegrad.h - the whole public interface, in reading order.
 *
 *     scope.h         scopes: ownership of memory, modes (training, gradients), errors
 *     dtype.h         element types
 *     tensor.h        tensors: creating, reading and writing them
 *     ops.h           operators
 *     autograd.h      gradients
 *     module.h        modules: parameters and a forward function
 *     layers.h        layers and networks
 *     frame.h         plain functions with the memory behaviour of a module
 *     optim.h         optimizers, learning-rate schedules, gradient clipping
 *     optimize.h      tg_optimize: BF16 weights with FP32 masters, prepacked for the fastest kernels
 *     checkpoint.h    saving and loading models and optimizers
 *     datasets.h      data sets and batches
 *     tensor_file.h   files of named tensors: safetensors, .npy, .npz
 *     parallel.h      threads
 *     cpu.h           the processor and its instruction sets
 *     random.h        random numbers
 *     environment.h   environment variables
 *     version.h       the version
 *
 * For those who extend the library:
 *
 *     op.h            writing operators and kernels
 *     state.h         adding objects of your own to checkpoints
 *     master.h        how a weight is split into BF16 and the rest of its FP32 master */
#ifndef TILEGRAD_H
#define TILEGRAD_H
#include "scope.h"
#include "dtype.h"
#include "tensor.h"
#include "ops.h"
#include "autograd.h"
#include "module.h"
#include "layers.h"
#include "frame.h"
#include "optim.h"
#include "optimize.h"
#include "checkpoint.h"
#include "datasets.h"
#include "tensor_file.h"
#include "parallel.h"
#include "cpu.h"
#include "random.h"
#include "environment.h"
#include "version.h"
#include "op.h"
#include "state.h"
#include "master.h"
#endif
