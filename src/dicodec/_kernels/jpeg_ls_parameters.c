#include "jpeg_ls_parameters.h"

static int choose(int threshold, int lowest, int maximum)
{
    return threshold < lowest || threshold > maximum ? lowest : threshold;
}

void jpeg_ls_set_parameters(jpeg_ls_parameters *is, unsigned precision, int near)
{
    static const int basic[3] = {3, 7, 21}, least[3] = {2, 3, 4}, nears[3] = {3, 5, 7};
    int maximum = (1 << precision) - 1;
    is->maximum = maximum;
    is->near = near;
    is->step = 2 * near + 1;
    is->reciprocal = ((UINT64_C(1) << 32) + (uint64_t)near * 2) / (uint64_t)is->step;
    is->range = (maximum + 2 * near) / is->step + 1;
    is->bits = 0;
    while (1 << is->bits < is->range)
        is->bits++;
    is->limit = 2 * (precision + (precision < 8 ? 8 : precision));
    int lowest = near + 1;
    for (int i = 0; i < 3; i++) {
        int threshold;
        if (maximum >= 128) {
            int factor = ((maximum < 4095 ? maximum : 4095) + 128) / 256;
            threshold = factor * (basic[i] - least[i]) + least[i] + nears[i] * near;
        } else {
            threshold = basic[i] / (256 / (maximum + 1)) + nears[i] * near;
            threshold = threshold < least[i] ? least[i] : threshold;
        }
        is->threshold[i] = lowest = choose(threshold, lowest, maximum);
    }
}
