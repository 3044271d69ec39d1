/* y = x · wᵀ in 8-bit integers with exact 32-bit sums, as a ladder: scalar, auto, blocked, simd, dot, threads. Page 75 explains every rung.
   w is (n, k), x is (m, k), y is (m, n), all row by row. No sum overflows while k <= 131071: 131071 · 128 · 128 < 2³¹. */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__ARM_NEON)
#include <arm_neon.h>
#elif defined(__AVX2__)
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
typedef const int8_t *bytes;

/* ---- scalar: the definition. The empty asm says "this sum is used here", which keeps the compiler from using vectors and costs no instruction. */
void gemm_scalar(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m) {
  for (size_t c = 0; c < m; c++)
    for (size_t r = 0; r < n; r++) {
      int32_t sum = 0;
      for (size_t i = 0; i < k; i++) {
        sum += w[r*k + i] * x[c*k + i];
        __asm__("" : "+r"(sum));
      }
      y[c*n + r] = sum;
    }
}

/* ---- auto: the same loops without the asm. What vectors the compiler finds by itself is the rival to beat. */
void gemm_auto(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m) {
  for (size_t c = 0; c < m; c++)
    for (size_t r = 0; r < n; r++) {
      int32_t sum = 0;
      for (size_t i = 0; i < k; i++) sum += w[r*k + i] * x[c*k + i];
      y[c*n + r] = sum;
    }
}

/* ---- blocked: four rows at once, so that a byte of x is loaded once for four products, and four sums grow side by side. */
void gemm_blocked(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m) {
  size_t whole = n - n % 4;
  for (size_t c = 0; c < m; c++)
    for (size_t r = 0; r < whole; r += 4) {
      bytes w0 = w + r*k, w1 = w0 + k, w2 = w1 + k, w3 = w2 + k;
      int32_t a = 0, b = 0, d = 0, e = 0;
      for (size_t i = 0; i < k; i++) {
        int32_t v = x[c*k + i];
        a += w0[i]*v; b += w1[i]*v; d += w2[i]*v; e += w3[i]*v;
        __asm__("" : "+r"(a), "+r"(b), "+r"(d), "+r"(e));
      }
      y[c*n + r] = a; y[c*n + r+1] = b; y[c*n + r+2] = d; y[c*n + r+3] = e;
    }
  for (size_t c = 0; c < m; c++)
    for (size_t r = whole; r < n; r++) gemm_scalar(w + r*k, x + c*k, y + c*n + r, 1, k, 1);
}

/* ---- What a vector unit must offer: `lane`, STEP bytes; `sums`, a register of 32-bit sums; products of two lanes added to sums; the totals of four sums. */
#if defined(__ARM_NEON)
#define VECTORS 1
enum { STEP = 16 };
typedef int8x16_t lane;
typedef int32x4_t sums;
typedef int32x4_t quad;
INLINE lane load(bytes p) { return vld1q_s8(p); }
INLINE lane both(lane a, lane b) { return vandq_s8(a, b); }
INLINE sums none(void) { return vdupq_n_s32(0); }
INLINE quad totals(sums a, sums b, sums c, sums d) { return vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)); }
INLINE void store(int32_t *y, quad t, uint32_t less) { vst1q_s32(y, vsubq_s32(t, vdupq_n_s32((int32_t)less))); }
INLINE sums simd(sums a, lane w, lane x) { /* smull: 8 products of 16 bits. sadalp: adds them in pairs to 32 bits, so that (-128)·(-128) twice fits */
  a = vpadalq_s16(a, vmull_s8(vget_low_s8(w), vget_low_s8(x)));
  return vpadalq_s16(a, vmull_high_s8(w, x));
}
#ifdef __ARM_FEATURE_DOTPROD
#define DOT 1
INLINE sums dot(sums a, lane w, lane x) { return vdotq_s32(a, w, x); } /* sdot: 16 products, four to a sum, in one instruction */
#endif

#elif defined(__AVX2__)
#define VECTORS 1
#define DOT 1
typedef __m128i quad;
INLINE quad totals256(__m256i a, __m256i b, __m256i c, __m256i d) {
  __m256i t = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
  return _mm_add_epi32(_mm256_castsi256_si128(t), _mm256_extracti128_si256(t, 1));
}
INLINE void store(int32_t *y, quad t, uint32_t less) { _mm_storeu_si128((__m128i *)y, _mm_sub_epi32(t, _mm_set1_epi32((int32_t)less))); }
#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
enum { STEP = 64 };
typedef __m512i lane;
typedef __m512i sums;
INLINE lane load(bytes p) { return _mm512_loadu_si512(p); }
INLINE lane both(lane a, lane b) { return _mm512_and_si512(a, b); }
INLINE sums none(void) { return _mm512_setzero_si512(); }
INLINE __m256i low(__m512i v) { return _mm512_castsi512_si256(v); }
INLINE __m256i high(__m512i v) { return _mm512_extracti64x4_epi64(v, 1); }
INLINE __m256i halves(sums a) { return _mm256_add_epi32(low(a), high(a)); }
INLINE quad totals(sums a, sums b, sums c, sums d) { return totals256(halves(a), halves(b), halves(c), halves(d)); }
INLINE sums simd(sums a, lane w, lane x) { /* 16 bits each, then 32 products added in pairs; twice */
  a = _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_cvtepi8_epi16(low(w)), _mm512_cvtepi8_epi16(low(x))));
  return _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_cvtepi8_epi16(high(w)), _mm512_cvtepi8_epi16(high(x))));
}
#define SHIFTED 1 /* vpdpbusd wants one side unsigned: flipping the top bit of w adds 128 to it, and 128·Σx is taken off the totals */
INLINE sums dot(sums a, lane w, lane x) { return _mm512_dpbusd_epi32(a, _mm512_xor_si512(w, _mm512_set1_epi8(-128)), x); }
#else
enum { STEP = 32 };
typedef __m256i lane;
typedef __m256i sums;
INLINE lane load(bytes p) { return _mm256_loadu_si256((const __m256i *)p); }
INLINE lane both(lane a, lane b) { return _mm256_and_si256(a, b); }
INLINE sums none(void) { return _mm256_setzero_si256(); }
INLINE __m256i low(__m256i v) { return _mm256_cvtepi8_epi16(_mm256_castsi256_si128(v)); }
INLINE __m256i high(__m256i v) { return _mm256_cvtepi8_epi16(_mm256_extracti128_si256(v, 1)); }
INLINE quad totals(sums a, sums b, sums c, sums d) { return totals256(a, b, c, d); }
INLINE sums simd(sums a, lane w, lane x) { /* 16 bits each, then 16 products added in pairs; twice */
  a = _mm256_add_epi32(a, _mm256_madd_epi16(low(w), low(x)));
  return _mm256_add_epi32(a, _mm256_madd_epi16(high(w), high(x)));
}
#define NARROW 1 /* |w| · (x with the sign of w): 32 products in pairs of 16 bits, at most 2·128·127 < 2¹⁵. So x must not hold -128, which has no positive twin */
INLINE sums dot(sums a, lane w, lane x) {
  __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
  return _mm256_add_epi32(a, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
#endif
#endif

static void plain_rows(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m, size_t from, size_t to) {
  for (size_t c = 0; c < m; c++) gemm_auto(w + from*k, x + c*k, y + c*n + from, to - from, k, 1);
}

/* ---- The frame of the vector rungs: R rows of w against C rows of x. R and C are constants where it is inlined, so all sums stay in registers. */
#ifdef VECTORS
typedef sums (*product)(sums, lane, lane);
#define ONES -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
static const int8_t KEPT[STEP + 64] = {[STEP] = ONES, ONES, ONES, ONES}; /* zeros, then ones: the lane that starts at t keeps the last t bytes of another */

/* A processor foresees one stream from memory better than eight. On x86, where it was measured (page 75), one row of x meets the rows of w one after the other, in the order
   in which they lie there; and while several meet R rows side by side, the next R are called from memory in that order. */
#ifdef __AVX2__
#define IN_ORDER 1
#define AHEAD(p, by) __builtin_prefetch((const void *)((uintptr_t)(p) + (by)))
#else
#define IN_ORDER 0
#define AHEAD(p, by) ((void)0)
#endif
#ifdef LISTING /* a comment in the assembly, by which benchmarks/arm.py finds this loop */
#define MARK(R, C) __asm__ volatile("// tile %c0 x %c1" ::"i"(R), "i"(C))
#else
#define MARK(R, C) ((void)0)
#endif

INLINE void tile(product f, const int R, const int C, bytes w, bytes x, int32_t *y, size_t n, size_t k, const uint32_t *less) {
  sums acc[8][4];
  lane v[4];
  size_t i = 0;
  for (int r = 0; r < 8; r++) for (int c = 0; c < C; c++) acc[r][c] = none();
  if (C == 1 && IN_ORDER)
    for (int r = 0; r < R; r++)
      for (i = 0; i + STEP <= k; i += STEP) acc[r][0] = f(acc[r][0], load(w + r*k + i), load(x + i));
  else
    for (; i + STEP <= k; i += STEP) {
      for (int c = 0; c < C; c++) v[c] = load(x + c*k + i);
      for (int r = 0; r < R; r++) {
        lane u = load(w + r*k + i);
        if (r*STEP % 64 == 0) AHEAD(w, R*(k + i) + r*STEP);
        for (int c = 0; c < C; c++) acc[r][c] = f(acc[r][c], u, v[c]);
      }
      MARK(R, C);
    }
  if (i < k) { /* the tail: the last STEP bytes of each row, and zeros in x where they were counted already */
    for (int c = 0; c < C; c++) v[c] = both(load(x + c*k + k - STEP), load(KEPT + (k - i)));
    for (int r = 0; r < R; r++) {
      lane u = load(w + r*k + k - STEP);
      for (int c = 0; c < C; c++) acc[r][c] = f(acc[r][c], u, v[c]);
    }
  }
  for (int c = 0; c < C; c++)
    for (int r = 0; r < R; r += 4) {
      int32_t four[4];
      store(R < 4 ? four : y + c*n + r, totals(acc[r][c], acc[r+1][c], acc[r+2][c], acc[r+3][c]), less[c]);
      for (int s = 0; s < R && R < 4; s++) y[c*n + s] = four[s];
    }
}

INLINE void tiles(product f, const int C, bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m, size_t from, size_t to, const uint32_t *less) {
  size_t r = from;
  for (; r + 8 <= to; r += 8) { /* weights outside, so that they come from memory once, however many rows x has */
    size_t c = 0;
    for (; c + C <= m; c += C)
      for (size_t h = r; h < r + 8; h += 4) tile(f, 4, C, w + h*k, x + c*k, y + c*n + h, n, k, less + c);
    for (; c < m; c++) tile(f, 8, 1, w + r*k, x + c*k, y + c*n + r, n, k, less + c);
  }
  for (; r < to; r++)
    for (size_t c = 0; c < m; c++) tile(f, 1, 1, w + r*k, x + c*k, y + c*n + r, n, k, less + c);
}
#endif

/* ---- simd: vector instructions that every such processor has. */
enum { GROUP = 64 }; /* rows of x that share one pass over w */
static void simd_rows(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m, size_t from, size_t to) {
#ifdef VECTORS
  static const uint32_t zeros[GROUP];
  if (k >= STEP) {
    for (size_t c = 0; c < m; c += GROUP) tiles(simd, 2, w, x + c*k, y + c*n, n, k, m - c < GROUP ? m - c : GROUP, from, to, zeros);
    return;
  }
#endif
  plain_rows(w, x, y, n, k, m, from, to); /* no vectors, or rows shorter than one */
}
void gemm_simd(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m) { simd_rows(w, x, y, n, k, m, 0, n); }

/* ---- dot: an instruction made for this product, where the processor has one. */
static void dot_rows(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m, size_t from, size_t to) {
#ifdef DOT
  int fits = k >= STEP;
#ifdef NARROW
  fits = fits && !memchr(x, -128, m*k);
#endif
  for (size_t c = 0; fits && c < m; c += GROUP) {
    size_t some = m - c < GROUP ? m - c : GROUP;
    uint32_t less[GROUP] = {0};
#ifdef SHIFTED
    for (size_t j = 0; j < some; j++) {
      int32_t sum = 0;
      for (size_t i = 0; i < k; i++) sum += x[(c+j)*k + i];
      less[j] = 128*(uint32_t)sum;
    }
#endif
    tiles(dot, STEP == 32 ? 2 : 4, w, x + c*k, y + c*n, n, k, some, from, to, less);
  }
  if (fits) return;
#endif
  simd_rows(w, x, y, n, k, m, from, to);
}
void gemm_dot(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m) { dot_rows(w, x, y, n, k, m, 0, n); }

/* ---- threads: each takes its share of the rows, in whole blocks of eight; the caller takes the first. One that can't start is done by the caller. */
typedef struct { bytes w, x; int32_t *y; size_t n, k, m, from, to; } part;
static void *work(void *p) {
  part *a = p;
  dot_rows(a->w, a->x, a->y, a->n, a->k, a->m, a->from, a->to);
  return NULL;
}
void gemm_threads(bytes w, bytes x, int32_t *y, size_t n, size_t k, size_t m, size_t threads) {
  part parts[64];
  pthread_t ids[64];
  char runs[64] = {0};
  size_t blocks = (n + 7) / 8;
  if (threads > 64) threads = 64;
  for (size_t t = threads; t-- > 0;) {
    size_t from = blocks*t/threads*8, to = t + 1 == threads ? n : blocks*(t + 1)/threads*8;
    parts[t] = (part){w, x, y, n, k, m, from, to};
    if (t && from < to) runs[t] = !pthread_create(&ids[t], NULL, work, &parts[t]);
    if (!runs[t]) work(&parts[t]);
  }
  for (size_t t = 1; t < threads; t++) if (runs[t]) pthread_join(ids[t], NULL);
}

#ifdef MAIN
/* ---- For an emulator: cases from stdin until it ends, six 32-bit numbers (rung, n, k, m, threads, how often), w, x; answers to stdout. */
#include <stdio.h>
#include <stdlib.h>
typedef void (*rung)(bytes, bytes, int32_t *, size_t, size_t, size_t);
int main(void) {
  const rung rungs[] = {gemm_scalar, gemm_auto, gemm_blocked, gemm_simd, gemm_dot};
  int32_t h[6];
  while (fread(h, sizeof h, 1, stdin) == 1) {
    size_t n = h[1], k = h[2], m = h[3];
    int8_t *w = malloc(n*k), *x = malloc(m*k); /* exact sizes: a step too far is seen by a sanitizer */
    int32_t *y = malloc(m*n*sizeof *y);
    if (!w || !x || !y || fread(w, 1, n*k, stdin) != n*k || fread(x, 1, m*k, stdin) != m*k) return 1;
    for (int i = 0; i < h[5]; i++)
      if (h[0] == 5) gemm_threads(w, x, y, n, k, m, h[4]);
      else rungs[h[0]](w, x, y, n, k, m);
    fwrite(y, sizeof *y, m*n, stdout);
    free(w); free(x); free(y);
  }
  return 0;
}
#endif
