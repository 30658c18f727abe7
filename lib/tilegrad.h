/* tilegrad.h - the whole public interface, in reading order.
 *
 *     scope.h      who owns the memory, what is wanted, what went wrong
 *     tensor.h     arrays
 *     ops.h        operators: functions of tensors
 *     autograd.h   derivatives
 *     module.h     parameters and a forward function
 *     layers.h     layers and models
 *     frame.h      functions that run with the memory of a module
 *     optim.h      optimizers and schedules
 *     checkpoint.h saving, loading, going on
 *     optimize.h   the fastest kernels: BF16 weights with FP32 masters
 *     datasets.h   images, batches
 *     tensor_file.h   files of named tensors: safetensors, .npz
 *     op.h         operators of one's own
 *     state.h      what a checkpoint holds, and how things of one's own get into it
 *     parallel.h cpu.h random.h dtype.h     threads, processor, random numbers, element types
 *     environment.h   variables of the environment
 *     version.h    the version, in the header and in the library */
#ifndef TILEGRAD_H
#define TILEGRAD_H
#include "scope.h"
#include "tensor.h"
#include "master.h"
#include "ops.h"
#include "autograd.h"
#include "module.h"
#include "layers.h"
#include "optim.h"
#include "checkpoint.h"
#include "optimize.h"
#include "datasets.h"
#include "tensor_file.h"
#include "op.h"
#include "state.h"
#include "frame.h"
#include "parallel.h"
#include "cpu.h"
#include "random.h"
#include "dtype.h"
#include "environment.h"
#include "version.h"
#endif
