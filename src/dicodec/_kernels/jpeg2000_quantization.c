#include "jpeg2000_quantization.h"

#include <math.h>

#include "jpeg2000_tile.h"

enum { GUARD_BITS = 2, MANTISSA = 1 << 11 };

/* What a coefficient of 1 becomes by levels of the inverse transformation (F.3) in one dimension:
 * the sum of the squares, by level, if it is a low-pass or a high-pass one. */
static const double LOW[JPEG2000_MOST_PLANNED_LEVELS + 1] = {
    1, 1.9659073, 4.1224099, 8.4167442, 16.9355721, 33.9249268,
};
static const double HIGH[JPEG2000_MOST_PLANNED_LEVELS + 1] = {
    0, 0.5202180, 0.9672158, 2.0792556, 4.3004823, 8.6867239,
};

double jpeg2000_find_weight(unsigned level, unsigned orientation)
{
    double across = orientation & 1 ? HIGH[level] : LOW[level];
    double down = orientation >> 1 ? HIGH[level] : LOW[level];
    return across * down;
}

/* Equation E-3 */
static void plan_step(double step, unsigned range, uint8_t *exponent, uint16_t *mantissa)
{
    int power;
    double fraction = 2 * frexp(step, &power); /* 1 or more, below 2 */
    long rounded = lround((fraction - 1) * MANTISSA);
    if (rounded == MANTISSA) {
        rounded = 0;
        power++;
    }
    *mantissa = (uint16_t)rounded;
    *exponent = (uint8_t)((int)range - (power - 1));
}

void jpeg2000_plan_steps(unsigned levels, unsigned precision, unsigned finer,
                         jpeg2000_quantization *quantization)
{
    quantization->is_quantized = true;
    quantization->guard_bits = GUARD_BITS;
    quantization->count = 3 * levels + 1;
    for (unsigned i = 0; i < quantization->count; i++) {
        unsigned orientation = i ? JPEG2000_HL + (i - 1) % 3 : JPEG2000_LL;
        unsigned level = i ? levels - (i - 1) / 3 : levels;
        unsigned gain = orientation == JPEG2000_HH ? 2 : orientation == JPEG2000_LL ? 0 : 1;
        double step = ldexp(1 / sqrt(jpeg2000_find_weight(level, orientation)), -(int)finer);
        plan_step(step, precision + gain, quantization->exponents + i,
                  quantization->mantissas + i);
    }
}
