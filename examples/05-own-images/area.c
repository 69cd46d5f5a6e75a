/* Count the cells of a table of reflectivity (dBZ, one row a line) that reach a level: area LEVEL TABLE COUNT */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: area LEVEL TABLE COUNT\n");
        return 2;
    }
    FILE *table = fopen(argv[2], "r");
    if (!table) {
        perror(argv[2]);
        return 1;
    }
    double level = atof(argv[1]), cell;
    long cells = 0, reached = 0;
    while (fscanf(table, "%lf", &cell) == 1) {
        cells++;
        reached += cell >= level;
    }
    FILE *count = fopen(argv[3], "w");
    if (!count || fprintf(count, "%ld\n", reached) < 0 || fclose(count)) {
        perror(argv[3]);
        return 1;
    }
    printf("%ld of %ld cells reach %g dBZ\n", reached, cells, level);
    return 0;
}
