"""The kernels, in CUDA C++. `squares.py` beside this file fills their parameters; NumPy's path says what is right.

Compiled with `-fmad=false` and IEEE division, so that each step rounds as NumPy and OpenCV do. `PICTURE` and `OUTPUT`
are the element types of the engine's tensors, `float` or `unsigned short` holding a half.

- `letterbox` is OpenCV 4 and 5's INTER_LINEAR for 8 bits: weights of 11 bits, sums of a row cut to 16 (`VResizeLinear`
  in vectors); where OpenCV ends a row without its vectors it rounds otherwise, by one level of 255 at most.
- `filter_anchors` is `decode.py`; what is kept of a square comes in any order, with its anchor's number.
- `suppress` is `nms.py` over at most `CANDIDATES` of a square, then `to_frame`: ordered by confidence and anchor, so
  the result does not depend on the order of arrival. More candidates are only counted, and NumPy decides.
"""

from __future__ import annotations

MOST_SQUARES = 16
"""Squares in one launch: their places travel as a launch's parameter, which is at most 4 KiB."""
CANDIDATES = 1024
"""Boxes of a square above the threshold that the GPU suppresses; a frame at 0.25 has tens."""
KEPT = 300
"""Boxes of a square that stay (`nms.MOST_DETECTIONS`)."""
COUNTS, FIELDS = 4, 6
"""Words before a square's rows (candidates, kept), and of a row: box, confidence, class."""

SOURCE = r"""
// Parameters stand so that each begins at its alignment when they are packed one behind the other.
struct Place {  // one region, and where it lies in its square
    double step_x, step_y;       // pixels of the region for one of the square
    float gain_x, gain_y;        // placed over region
    int x1, y1, width, height;   // of the region, in the frame
    int left, top, placed_width, placed_height;
};
struct Places { Place of[MOST_SQUARES]; };
struct Candidate { float x1, y1, x2, y2, confidence; int number, anchor; };

__device__ inline void put(float* to, float value) { *to = value; }
__device__ inline float get(const float* from) { return *from; }
#ifdef __CUDACC__  // halves, by their bits
__device__ inline void put(unsigned short* to, float value) {
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(*to) : "f"(value));
}
__device__ inline float get(const unsigned short* from) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(*from));
    return value;
}
#endif

// Where the pixel `at` of a scaled axis comes from, and OpenCV's weights of it and the next, 2048 together.
__device__ inline void source_of(int at, double step, int length, int* first, int* next, int* near, int* far) {
    float place = (float)((at + 0.5) * step - 0.5);
    int whole = (int)floorf(place);
    float share = place - (float)whole;
    if (whole < 0) { whole = 0; share = 0.f; }
    if (whole >= length - 1) { whole = length - 1; share = 0.f; }
    *first = whole;
    *next = min(whole + 1, length - 1);
    *near = __float2int_rn((1.f - share) * 2048.f);
    *far = __float2int_rn(share * 2048.f);
}

extern "C" __global__ void letterbox(const unsigned char* frame, PICTURE* out, int stride, int size, Places places) {
    int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= size || y >= size) return;
    const Place& place = places.of[blockIdx.z];
    size_t plane = (size_t)size * size;
    PICTURE* to = out + blockIdx.z * 3 * plane + (size_t)y * size + x;
    int px = x - place.left, py = y - place.top;
    if (px < 0 || py < 0 || px >= place.placed_width || py >= place.placed_height) {
        float gray = (float)PAD / 255.f;
        for (int channel = 0; channel < 3; ++channel) put(to + channel * plane, gray);
        return;
    }
    int x0, x1, ax, bx, y0, y1, ay, by;
    source_of(px, place.step_x, place.width, &x0, &x1, &ax, &bx);
    source_of(py, place.step_y, place.height, &y0, &y1, &ay, &by);
    const unsigned char* above = frame + (size_t)(place.y1 + y0) * stride + 3 * place.x1;
    const unsigned char* below = frame + (size_t)(place.y1 + y1) * stride + 3 * place.x1;
    for (int channel = 0; channel < 3; ++channel) {  // BGR in, RGB out
        int high = above[3 * x0 + channel] * ax + above[3 * x1 + channel] * bx;
        int low = below[3 * x0 + channel] * ax + below[3 * x1 + channel] * bx;
        int level = (((ay * (high >> 4)) >> 16) + ((by * (low >> 4)) >> 16) + 2) >> 2;
        put(to + (2 - channel) * plane, (float)level / 255.f);
    }
}

extern "C" __global__ void filter_anchors(const OUTPUT* output, const unsigned char* wanted, int* counts,
                                          Candidate* candidates, int anchors, int classes, float threshold) {
    int anchor = blockIdx.x * blockDim.x + threadIdx.x;
    if (anchor >= anchors) return;
    int square = blockIdx.y;
    const OUTPUT* own = output + (size_t)square * (4 + classes) * anchors + anchor;
    const OUTPUT* scores = own + 4 * (size_t)anchors;
    float best = get(scores);
    int number = 0;
    for (int index = 1; index < classes; ++index) {
        float score = get(scores + (size_t)index * anchors);
        if (score > best || score != score) { best = score; number = index; }  // NaN stays, as in NumPy's maximum
    }
    if (!(best > threshold) || (wanted && !wanted[number])) return;
    int slot = atomicAdd(counts + square, 1);
    if (slot >= CANDIDATES) return;
    float x = get(own), y = get(own + anchors);
    float width = get(own + 2 * (size_t)anchors) / 2.f, height = get(own + 3 * (size_t)anchors) / 2.f;
    candidates[square * CANDIDATES + slot] = {x - width, y - height, x + width, y + height, best, number, anchor};
}

__device__ inline float back(float at, int pad, float gain, int length, int offset) {
    float inside = (at - (float)pad) / gain;
    return fminf(fmaxf(inside, 0.f), (float)length) + (float)offset;
}

// One block for each square. `result`: for each square COUNTS words, then KEPT rows of FIELDS.
extern "C" __global__ void suppress(int* counts, const Candidate* all, float* result, double limit,
                                    Places places, int agnostic) {
    __shared__ float confidence[CANDIDATES];
    __shared__ int anchor[CANDIDATES];
    __shared__ short order[CANDIDATES];
    __shared__ float x1[CANDIDATES], y1[CANDIDATES], x2[CANDIDATES], y2[CANDIDATES];
    __shared__ unsigned char dropped[CANDIDATES];
    int square = blockIdx.x, me = threadIdx.x, step = blockDim.x;
    const Candidate* own = all + square * CANDIDATES;
    const Place& place = places.of[square];
    float* head = result + square * (COUNTS + KEPT * FIELDS);
    float* rows = head + COUNTS;
    int count = counts[square];
    __syncthreads();
    if (me == 0) {
        counts[square] = 0;  // for the next frame
        ((int*)head)[0] = count;
        ((int*)head)[1] = 0;
    }
    if (count > CANDIDATES) return;
    for (int i = me; i < count; i += step) { confidence[i] = own[i].confidence; anchor[i] = own[i].anchor; }
    __syncthreads();
    for (int i = me; i < count; i += step) {
        int rank = 0;
        for (int k = 0; k < count; ++k)
            rank += confidence[k] > confidence[i] || (confidence[k] == confidence[i] && anchor[k] < anchor[i]);
        order[rank] = (short)i;
    }
    __syncthreads();
    for (int i = me; i < count; i += step) {
        Candidate one = own[order[i]];
        float apart = agnostic ? 0.f : (float)one.number * CLASS_OFFSET;
        x1[i] = one.x1 + apart; y1[i] = one.y1 + apart; x2[i] = one.x2 + apart; y2[i] = one.y2 + apart;
        dropped[i] = 0;
    }
    __syncthreads();
    int kept = 0;
    for (int i = 0; i < count && kept < KEPT; ++i) {
        if (dropped[i]) continue;  // the same for all threads: written before the last barrier
        float area = (x2[i] - x1[i]) * (y2[i] - y1[i]);
        if (me == 0) {
            Candidate one = own[order[i]];
            float* row = rows + kept * FIELDS;
            row[0] = back(one.x1, place.left, place.gain_x, place.width, place.x1);
            row[1] = back(one.y1, place.top, place.gain_y, place.height, place.y1);
            row[2] = back(one.x2, place.left, place.gain_x, place.width, place.x1);
            row[3] = back(one.y2, place.top, place.gain_y, place.height, place.y1);
            row[4] = one.confidence;
            row[5] = (float)one.number;
        }
        ++kept;
        for (int k = i + 1 + me; k < count; k += step) {
            if (dropped[k]) continue;
            float width = fmaxf(fminf(x2[i], x2[k]) - fmaxf(x1[i], x1[k]), 0.f);
            float height = fmaxf(fminf(y2[i], y2[k]) - fmaxf(y1[i], y1[k]), 0.f);
            float shared = width * height;
            float overlap = shared / (area + (x2[k] - x1[k]) * (y2[k] - y1[k]) - shared);
            if ((double)overlap > limit) dropped[k] = 1;
        }
        __syncthreads();
    }
    if (me == 0) ((int*)head)[1] = kept;
}
"""
