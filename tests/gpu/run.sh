#!/usr/bin/env bash
# The tests of this folder, and figure one, on a CUDA machine. Run from the repository's root.
#   TRT=/path/to/python/with/tensorrt TORCH=/path/to/python/with/torch tests/gpu/run.sh MODELS OUT
# MODELS holds vehicle.pt, plate.pt, vehicle-640.onnx (batch 1) and plate-416.onnx (any batch), both of opset 17, and
# photos/, and reader.onnx; engines that lie there already are not built again. OUT gets engines, logs and JSON.
set -uo pipefail
models=$(realpath "$1"); out=$(realpath "$2"); here=$(cd "$(dirname "$0")" && pwd)
trt=${TRT:-python3}; torch=${TORCH:-python3}
export PLATEFLEET_ENGINES=$models PLATEFLEET_BARRIER_PHOTOS=$models/photos PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
cd "$here/../.."

build() { # name onnx size precision level batch [more]
  local name=$1 onnx=$2 size=$3 precision=$4 level=$5 batch=$6; shift 6
  [ -f "$models/$name.engine" ] && return
  $trt -m tests.gpu.build_engine "$models/$onnx" "$models/$name.engine" --size "$size" --precision "$precision" \
    --level "$level" --batch "$batch" "$@" > "$out/$name.log" 2>&1 && cat "$out/$name.log" || tail -5 "$out/$name.log"
}

status=0
# Level 0 takes about 100 s for each, side by side. At level 1 two side by side were not done in 570 s on an H100.
build vehicle-fp16 vehicle-640.onnx 640 fp16 "${LEVEL:-0}" 1 &
build plate-fp16 plate-416.onnx 416 fp16 "${LEVEL:-0}" 0 &
wait
$torch -m tests.gpu.figure_one_pt "$models/vehicle.pt" "$models/plate.pt" "$models/photos" "$out/pt.json" || status=1
$trt -m tests.gpu.figure_one "$out/pt.json" "$out/figure_one.json" || status=1
build vehicle-fp32 vehicle-640.onnx 640 fp32 0 1 &
build plate-int8 plate-416.onnx 416 int8 0 0 --calibration "$models/photos" &
build plate-fixed plate-416.onnx 416 fp16 0 4 &
build reader-fp16 reader.onnx 320 fp16 0 0 --height 48 &
$trt -m pytest -c /dev/null --rootdir . --noconftest -p no:cacheprovider --import-mode=importlib -q -s -W ignore \
  tests/gpu/test_tensorrt.py 2>&1 | tee "$out/tests.log" || status=1
wait
$trt -m tests.gpu.choices "$out/choices.json" || status=1
$trt -m pytest -c /dev/null --rootdir . --noconftest -p no:cacheprovider --import-mode=importlib -q -s -W ignore \
  tests/gpu/test_other_engines.py 2>&1 | tee "$out/others.log" || status=1
exit $status
