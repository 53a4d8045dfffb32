# A file as an array of C: cmake -DFROM=page.html -DTO=page.c -DNAME=page -P PgweirEmbed.cmake
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(................................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${TO} "#include <stddef.h>\n\nextern const unsigned char ${NAME}[];\nextern const size_t ${NAME}_size;\n"
  "const unsigned char ${NAME}[] = {\n${bytes}\n0x00 };\nconst size_t ${NAME}_size = sizeof(${NAME}) - 1;\n")
