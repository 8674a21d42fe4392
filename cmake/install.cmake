# cmake --install: the shared library, the public headers, the CMake package and the pkg-config file.

include(CMakePackageConfigHelpers)
set(package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/Switchyard")

install(TARGETS switchyard EXPORT SwitchyardTargets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT library
  NAMELINK_COMPONENT development)

# The public headers are those in switchyard/ itself and what they include: known when they are installed, not when
# the build was configured.
find_program(SWITCHYARD_PYTHON python3 REQUIRED)
install(CODE "
  execute_process(COMMAND \"${SWITCHYARD_PYTHON}\" \"${CMAKE_SOURCE_DIR}/tools/public_headers.py\"
    OUTPUT_VARIABLE listing OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  string(REPLACE \"\\n\" \";\" headers \"\${listing}\")
  foreach(header IN LISTS headers)
    get_filename_component(folder \"\${header}\" DIRECTORY)
    file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}/\${folder}\" TYPE FILE
      FILES \"${CMAKE_SOURCE_DIR}/\${header}\")
  endforeach()
" COMPONENT development)

install(EXPORT SwitchyardTargets NAMESPACE switchyard:: DESTINATION "${package_folder}" COMPONENT development)
configure_package_config_file("${CMAKE_SOURCE_DIR}/cmake/SwitchyardConfig.cmake.in"
  "${CMAKE_BINARY_DIR}/SwitchyardConfig.cmake" INSTALL_DESTINATION "${package_folder}")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/SwitchyardConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/SwitchyardConfig.cmake" "${CMAKE_BINARY_DIR}/SwitchyardConfigVersion.cmake"
  DESTINATION "${package_folder}" COMPONENT development)

file(RELATIVE_PATH up_to_prefix "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")  # so that the installation can be moved
configure_file("${CMAKE_SOURCE_DIR}/cmake/switchyard.pc.in" "${CMAKE_BINARY_DIR}/switchyard.pc" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/switchyard.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig"
  COMPONENT development)
