#include "world.h"
static void test_the_way_of_a_row(void **state)
{
    (void)state;
    struct world_row rows[3] = {{0}};
    struct world world;

    world_open(&world, rows, 3);
    world_begin(&world);
    assert_string_equal(world_log(&world), "admit1 admit2 admit3 sync1 mark1 send1");
    world_answer(&world, 1, world_accepts("u-1"));
    assert_string_equal(world_log(&world), "record1:accepted mark2 send2 mark3 send3");
    world_answer(&world, 3, world_accepts("u-3"));
    world_answer(&world, 2, world_accepts("u-2"));
    assert_string_equal(world_log(&world), "record3:accepted record2:accepted end");
    world_finish(&world);
    world_close(&world);
}
int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_way_of_a_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
