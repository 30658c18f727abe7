/* winograd_points.h - Winograd's transforms of one line of elements, 16 channels side by side.
 *
 * For m = 4 the points are 0, A, -A, B, -B, infinity.  With P(x) = x (x^2 - A^2) (x^2 - B^2), the transform of inputs
 * has the coefficients of P(x) / (x - p) for each finite point p, and of P itself for infinity; that of a kernel, its
 * value at p divided by the product of p's distances from the other points; that of outputs, the powers of p. */
#ifndef TG_WINOGRAD_POINTS_H
#define TG_WINOGRAD_POINTS_H
#include "avx512.h"
#include "winograd.h"

#define A  0.625f
#define B  1.5f
#define AA (A * A)
#define BB (B * B)

TG_INLINE __m512 times(float a, __m512 x) { return _mm512_mul_ps(_mm512_set1_ps(a), x); }
TG_INLINE __m512 plus(__m512 y, float a, __m512 x) { return _mm512_fmadd_ps(_mm512_set1_ps(a), x, y); }

/* The points p and -p: the contribution of even powers, plus and minus that of odd ones. */
TG_INLINE void both(__m512 even, __m512 odd, __m512 *to, int step)
{
    to[0] = _mm512_add_ps(even, odd);
    to[step] = _mm512_sub_ps(even, odd);
}

/* tile + 2 inputs to as many points. */
TG_INLINE void input_points(int tile, const __m512 *p, int from, __m512 *to, int step)
{
    const __m512 p0 = p[0], p1 = p[from], p2 = p[2 * from], p3 = p[3 * from];
    if (tile == 2) {
        to[0] = _mm512_sub_ps(p0, p2);
        to[step] = _mm512_add_ps(p1, p2);
        to[2 * step] = _mm512_sub_ps(p2, p1);
        to[3 * step] = _mm512_sub_ps(p1, p3);
        return;
    }
    const __m512 p4 = p[4 * from], p5 = p[5 * from];
    to[0] = plus(plus(p4, -(AA + BB), p2), AA * BB, p0);
    both(plus(p4, -BB, p2), plus(times(A, p3), -A * BB, p1), to + step, step);
    both(plus(p4, -AA, p2), plus(times(B, p3), -AA * B, p1), to + 3 * step, step);
    to[5 * step] = plus(plus(p5, -(AA + BB), p3), AA * BB, p1);
}

/* 3 taps to tile + 2 points. */
TG_INLINE void kernel_points(int tile, __m512 a, __m512 b, __m512 c, __m512 *to, int step)
{
    if (tile == 2) {
        const __m512 half = _mm512_set1_ps(0.5f), ends = _mm512_add_ps(a, c);
        to[0] = a;
        to[step] = _mm512_mul_ps(half, _mm512_add_ps(ends, b));
        to[2 * step] = _mm512_mul_ps(half, _mm512_sub_ps(ends, b));
        to[3 * step] = c;
        return;
    }
    const float at_a = 1 / (2 * AA * (AA - BB)), at_b = 1 / (2 * BB * (BB - AA));
    to[0] = times(1 / (AA * BB), a);
    both(plus(times(at_a, a), AA * at_a, c), times(A * at_a, b), to + step, step);
    both(plus(times(at_b, a), BB * at_b, c), times(B * at_b, b), to + 3 * step, step);
    to[5 * step] = c;
}

/* 4 elements of gy, the kernel of F(3x3, 4x4), to 6 points. */
TG_INLINE void long_kernel_points(const __m512 *p, int from, __m512 *to, int step)
{
    const __m512 p0 = p[0], p1 = p[from], p2 = p[2 * from], p3 = p[3 * from];
    const float at_a = 1 / (2 * AA * (AA - BB)), at_b = 1 / (2 * BB * (BB - AA));
    to[0] = times(1 / (AA * BB), p0);
    both(plus(times(at_a, p0), AA * at_a, p2), plus(times(A * at_a, p1), A * AA * at_a, p3), to + step, step);
    both(plus(times(at_b, p0), BB * at_b, p2), plus(times(B * at_b, p1), B * BB * at_b, p3), to + 3 * step, step);
    to[5 * step] = p3;
}

/* tile + 2 points to `tile` outputs. */
TG_INLINE void outputs_of(int tile, const __m512 *m, int from, __m512 *to, int step)
{
    const __m512 m0 = m[0], m1 = m[from], m2 = m[2 * from], m3 = m[3 * from];
    if (tile == 2) {
        to[0] = _mm512_add_ps(_mm512_add_ps(m0, m1), m2);
        to[step] = _mm512_sub_ps(_mm512_sub_ps(m1, m2), m3);
        return;
    }
    const __m512 m4 = m[4 * from], m5 = m[5 * from];
    const __m512 even_a = _mm512_add_ps(m1, m2), odd_a = _mm512_sub_ps(m1, m2);
    const __m512 even_b = _mm512_add_ps(m3, m4), odd_b = _mm512_sub_ps(m3, m4);
    to[0] = _mm512_add_ps(_mm512_add_ps(even_a, even_b), m0);
    to[step] = plus(times(B, odd_b), A, odd_a);
    to[2 * step] = plus(times(BB, even_b), AA, even_a);
    to[3 * step] = _mm512_add_ps(plus(times(B * BB, odd_b), A * AA, odd_a), m5);
}

/* In backward-weights, 6 points to 3 taps. */
TG_INLINE void taps_of(const __m512 *s, int from, __m512 *to, int step)
{
    const __m512 even_a = _mm512_add_ps(s[from], s[2 * from]), odd_a = _mm512_sub_ps(s[from], s[2 * from]);
    const __m512 even_b = _mm512_add_ps(s[3 * from], s[4 * from]), odd_b = _mm512_sub_ps(s[3 * from], s[4 * from]);
    to[0] = _mm512_add_ps(_mm512_add_ps(even_a, even_b), s[0]);
    to[step] = plus(times(B, odd_b), A, odd_a);
    to[2 * step] = _mm512_add_ps(plus(times(BB, even_b), AA, even_a), s[5 * from]);
}

#undef AA
#undef BB
#undef A
#undef B
#endif
