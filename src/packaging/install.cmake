# What is installed, and the Debian package: cmake --install, cpack --preset package.

set(NBATCH_MAINTAINER "nbatch maintainers <maintainers@nbatch.invalid>" CACHE STRING
    "The maintainer named in the Debian package, as NAME <ADDRESS>")

# Manual pages and completions are what the program itself prints, so that they fit its options.
set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated)
file(MAKE_DIRECTORY ${generated}/zh_CN)
find_program(GZIP_PROGRAM gzip REQUIRED)
set(pages)
foreach(page nbatch.1.gz nbatch-input.5.gz nbatch-results.5.gz)
  list(APPEND pages ${generated}/${page} ${generated}/zh_CN/${page})
endforeach()
add_custom_command(
  OUTPUT ${pages} ${generated}/nbatch ${generated}/_nbatch ${generated}/nbatch.fish
  COMMAND nbatch help man --lang en > ${generated}/nbatch.1
  COMMAND nbatch help man input --lang en > ${generated}/nbatch-input.5
  COMMAND nbatch help man results --lang en > ${generated}/nbatch-results.5
  COMMAND nbatch help man --lang zh > ${generated}/zh_CN/nbatch.1
  COMMAND nbatch help man input --lang zh > ${generated}/zh_CN/nbatch-input.5
  COMMAND nbatch help man results --lang zh > ${generated}/zh_CN/nbatch-results.5
  COMMAND ${GZIP_PROGRAM} -9nf nbatch.1 nbatch-input.5 nbatch-results.5 zh_CN/nbatch.1 zh_CN/nbatch-input.5 zh_CN/nbatch-results.5
  COMMAND nbatch completion bash > ${generated}/nbatch
  COMMAND nbatch completion zsh > ${generated}/_nbatch
  COMMAND nbatch completion fish > ${generated}/nbatch.fish
  WORKING_DIRECTORY ${generated}
  DEPENDS nbatch
  VERBATIM)
add_custom_target(generated ALL DEPENDS ${generated}/nbatch.1.gz)

# Where zsh looks depends on whether a package or an administrator installs.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  set(zsh_completions vendor-completions)
else()
  set(zsh_completions site-functions)
endif()
set(NBATCH_BINDIR ${CMAKE_INSTALL_FULL_BINDIR})
configure_file(src/packaging/nbatch@.service.in ${generated}/nbatch@.service @ONLY)

install(TARGETS nbatch RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
foreach(language . zh_CN)
  install(FILES ${generated}/${language}/nbatch.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/${language}/man1)
  install(FILES ${generated}/${language}/nbatch-input.5.gz ${generated}/${language}/nbatch-results.5.gz
          DESTINATION ${CMAKE_INSTALL_MANDIR}/${language}/man5)
endforeach()
install(FILES ${generated}/nbatch DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${generated}/_nbatch DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${zsh_completions})
install(FILES ${generated}/nbatch.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)
install(DIRECTORY samples/ DESTINATION ${CMAKE_INSTALL_DATADIR}/nbatch/samples)
install(FILES README.md README.zh-CN.md CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY src/packaging/examples DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES ${generated}/nbatch@.service src/packaging/nbatch@.timer DESTINATION lib/systemd/system)

# What Debian asks for beside that.
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr")
  file(STRINGS CHANGELOG.md released REGEX "^## \\[${PROJECT_VERSION}\\] - ")
  string(REGEX REPLACE "^.* - " "" released "${released}")
  execute_process(COMMAND date -u -R -d "${released}" OUTPUT_VARIABLE released OUTPUT_STRIP_TRAILING_WHITESPACE
                  COMMAND_ERROR_IS_FATAL ANY)
  configure_file(src/packaging/changelog.in ${generated}/changelog @ONLY)
  execute_process(COMMAND ${GZIP_PROGRAM} -9nf ${generated}/changelog COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${generated}/changelog.gz src/packaging/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT ${NBATCH_MAINTAINER})
set(CPACK_PACKAGING_INSTALL_PREFIX ${CMAKE_INSTALL_PREFIX})
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_SOURCE_DIR}/src/packaging/postinst
    ${CMAKE_CURRENT_SOURCE_DIR}/src/packaging/prerm ${CMAKE_CURRENT_SOURCE_DIR}/src/packaging/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "send cached commands to NB-IoT devices on OneNET, in bulk")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
    "Takes a CSV or JSONL file or an Excel workbook with a command in each
row, checks all of it before anything is sent, sends every row, and writes
a results file that maps each row to its uuid or errno. Nothing is sent
twice without being counted, and the commands for one device are sent in
file order. Messages and manual pages are in English and Chinese.")
include(CPack)
