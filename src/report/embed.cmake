# Makes a C file of a text: cmake -DFROM=report.css -DTO=style.c -DNAME=report_style -P embed.cmake
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#include \"report/style.h\"\n\nconst char ${NAME}[] = {\n${bytes}};\nconst size_t ${NAME}_len = sizeof(${NAME});\n")
