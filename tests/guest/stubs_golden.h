static const unsigned char stubs_golden[] = { 0 };
